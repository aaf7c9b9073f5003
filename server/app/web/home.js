// The main page: a live list of products over one websocket that is opened again whenever it is lost.
(() => {
  "use strict";

  const mostShown = 200; // most products shown; the server sends as many
  const backOff = { first: 250, most: 8000 }; // ms between attempts to connect; each is drawn from half to all of it
  const answerWait = 10000; // ms until a product that was sent and not confirmed is reported
  const priceMost = 1e9; // as the server has it
  const ended = 4001; // close code: the session is over

  const $ = (id) => document.getElementById(id);
  const form = $("new-product"), list = $("products"), notice = $("notice");
  const button = form.querySelector("button");
  const money = new Intl.NumberFormat("es-AR", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const clock = new Intl.DateTimeFormat("es-AR", { dateStyle: "short", timeStyle: "short" });

  let socket = null, tries = 0, over = false, leaving = false;
  let pending = null; // the product that was sent and not yet seen in the list, with its id
  let unsure = null; // the one of which nobody could say whether it was saved
  let pendingTimer = 0;
  const shown = new Set();

  function say(text, bad) {
    notice.textContent = text;
    notice.classList.toggle("bad", Boolean(bad));
    notice.hidden = text === "";
  }

  // ---- the list

  // Only what lies on another host is loaded as a picture: loading one of our own addresses could do something in
  // the name of whoever looks at the list. Cookies ignore ports, so another port is no other host.
  function fromElsewhere(address) {
    try {
      const url = new URL(address);
      return ["http:", "https:"].includes(url.protocol) && url.hostname !== location.hostname;
    } catch {
      return false;
    }
  }

  function photo(product) {
    const letter = Array.from(product.title)[0];
    const box = document.createElement("span");
    box.className = "photo";
    box.setAttribute("aria-hidden", "true");
    if (!fromElsewhere(product.thumbnail)) {
      box.append(letter);
      return box;
    }
    const img = document.createElement("img");
    img.alt = "";
    img.loading = "lazy";
    img.addEventListener("error", () => img.replaceWith(letter));
    img.referrerPolicy = "no-referrer";
    img.src = product.thumbnail;
    box.append(img);
    return box;
  }

  function row(product, fresh) {
    const item = document.createElement("li");
    item.dataset.id = product.id;
    if (fresh) item.className = "fresh";
    const text = document.createElement("div");
    const name = document.createElement("span");
    name.className = "name";
    name.dir = "auto"; // written from right to left where its letters are
    name.textContent = name.title = product.title; // text, never markup
    const when = document.createElement("time");
    when.dateTime = product.timeStamp;
    when.textContent = clock.format(new Date(product.timeStamp));
    text.append(name, when);
    const price = document.createElement("span");
    price.className = "price";
    price.textContent = "$ " + money.format(product.price);
    item.append(photo(product), text, price);
    return item;
  }

  function tally() {
    $("count").textContent = shown.size ? "(" + shown.size + ")" : "";
    $("empty").hidden = shown.size > 0;
  }

  function showAll(products) {
    shown.clear();
    for (const p of products) shown.add(p.id);
    list.replaceChildren(...products.map((p) => row(p, false)));
    tally();
  }

  function show(product) {
    if (shown.has(product.id)) return;
    shown.add(product.id);
    list.prepend(row(product, true));
    while (shown.size > mostShown) {
      shown.delete(list.lastElementChild.dataset.id);
      list.lastElementChild.remove();
    }
    $("announce").textContent = "Nuevo producto: " + product.title;
    tally();
  }

  // ---- the form

  function fieldError(name, text) {
    $(name + "-error").textContent = text;
    const input = form.elements[name];
    if (text) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
    return text !== "";
  }

  // The price that was typed, with comma or point: "4500,50" and "4.500,50" as "4500.50". NaN where it is none,
  // or where a separator could mean thousands or decimals.
  function priceOf(text) {
    let match = /^(\d+)(?:[.,](\d{1,2}))?$/.exec(text);
    if (!match) match = /^(\d{1,3}(?:\.\d{3})+),(\d{1,2})$/.exec(text) || /^(\d{1,3}(?:,\d{3})+)\.(\d{1,2})$/.exec(text) ||
      /^(\d{1,3}(?:\.\d{3}){2,}|\d{1,3}(?:,\d{3}){2,})()$/.exec(text);
    return match ? Number(match[1].replace(/[.,]/g, "") + "." + (match[2] || "0")) : NaN;
  }

  function httpURL(text) {
    try {
      return ["http:", "https:"].includes(new URL(text).protocol);
    } catch {
      return false;
    }
  }

  function check(product) {
    const bad = [];
    const length = Array.from(product.title).length;
    if (fieldError("title", length < 1 || length > 200 ? "Escribí un nombre de 1 a 200 caracteres." : "")) bad.push("title");
    const problem = Number.isNaN(product.price) ? "Escribí un precio de 0 o más, sin punto de miles: por ejemplo 4500,50."
      : product.price > priceMost ? "Escribí un precio de hasta " + money.format(priceMost) + "." : "";
    if (fieldError("price", problem)) bad.push("price");
    if (fieldError("thumbnail", httpURL(product.thumbnail) ? "" : "Escribí una dirección que empiece con http:// o https://.")) bad.push("thumbnail");
    if (bad.length) form.elements[bad[0]].focus();
    return bad.length === 0;
  }

  function newID() {
    return Array.from(crypto.getRandomValues(new Uint8Array(12)), (b) => b.toString(16).padStart(2, "0")).join("");
  }

  // A product keeps its id when it is sent again, by this page or by the person: the server saves it once.
  function send() {
    if (!pending || !socket || socket.readyState !== WebSocket.OPEN) return;
    socket.send(JSON.stringify({ event: "NEWPROD", data: pending }));
    clearTimeout(pendingTimer);
    pendingTimer = setTimeout(() => settle("No hubo respuesta del servidor. Probá de nuevo.", true), answerWait);
  }

  function typed() {
    return {
      title: form.elements.title.value.trim(),
      price: priceOf(form.elements.price.value.trim()),
      thumbnail: form.elements.thumbnail.value.trim(),
    };
  }

  function sameAs(product) {
    return product && Object.entries(typed()).every(([field, value]) => product[field] === value);
  }

  function settle(problem, maybeSaved) {
    clearTimeout(pendingTimer);
    if (!pending) return;
    unsure = maybeSaved ? pending : null;
    pending = null;
    button.disabled = false;
    $("form-error").textContent = problem || "";
    if (!problem) {
      form.reset();
      form.elements.title.focus();
    }
  }

  // listed takes note that the products in the list were saved, one that nobody was sure of among them.
  function listed() {
    if (pending && shown.has(pending.id)) settle();
    if (!unsure || !shown.has(unsure.id)) return;
    $("form-error").textContent = "";
    if (sameAs(unsure)) form.reset();
    unsure = null;
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    $("form-error").textContent = "";
    const product = { id: sameAs(unsure) ? unsure.id : newID(), ...typed() };
    if (pending || !check(product)) return;
    if (!socket || socket.readyState !== WebSocket.OPEN) {
      $("form-error").textContent = "Sin conexión: esperá a que vuelva y probá de nuevo.";
      return;
    }
    pending = product;
    button.disabled = true;
    send();
  });

  // ---- the connection

  function sessionOver() {
    if (over) return;
    over = true;
    settle("Tu sesión terminó.");
    button.disabled = true;
    say("Tu sesión terminó. Te llevamos a la página de ingreso…", true);
    setTimeout(() => location.assign("/login"), 3000);
  }

  function failed(error) {
    if (error.code === "session") {
      sessionOver();
    } else if (error.field && form.elements[error.field]) {
      fieldError(error.field, error.message);
      settle("Revisá los datos.");
      form.elements[error.field].focus();
    } else {
      settle(error.message, error.code === "unavailable");
    }
  }

  function receive(message) {
    const { event, data, server } = JSON.parse(message.data);
    if (server) $("socket").textContent = "instancia " + server.instance + ", proceso " + server.pid;
    switch (event) {
      case "PRODLIST":
        showAll(data);
        listed();
        send();
        break;
      case "PRODUCT":
        show(data);
        listed();
        break;
      case "ERROR":
        failed(data);
    }
  }

  async function signedIn() {
    try {
      const answer = await fetch("/checkAuth", { cache: "no-store", headers: { accept: "application/json" } });
      return !answer.ok || (await answer.json()).auth; // a server that can't tell is no reason to leave
    } catch {
      return true;
    }
  }

  function connect() {
    const address = new URL("/ws", location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    socket = new WebSocket(address);
    socket.addEventListener("open", () => {
      if (tries > 0) say("Conexión recuperada.");
      if (tries > 0) setTimeout(() => { if (tries === 0 && !over) say(""); }, 3000);
      tries = 0;
    });
    socket.addEventListener("message", receive);
    socket.addEventListener("close", lost);
  }

  async function lost(event) {
    if (over || leaving) return;
    if (event.code === ended) return sessionOver();
    const wait = Math.min(backOff.most, backOff.first * 2 ** tries++) * (0.5 + Math.random() / 2);
    say("Se perdió la conexión. Reconectando…", true);
    $("socket").textContent = "sin conexión";
    await new Promise((done) => setTimeout(done, wait));
    if (over || leaving) return;
    if (await signedIn()) connect();
    else sessionOver();
  }

  addEventListener("pagehide", () => { leaving = true; });
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  connect();
})();
