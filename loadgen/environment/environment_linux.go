package environment

import (
	"bufio"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// osName is the distribution and the kernel, as "Debian GNU/Linux 12 (bookworm), Linux 6.1.0".
func osName() string {
	name := "Linux"
	var uts unix.Utsname
	if unix.Uname(&uts) == nil {
		name += " " + unix.ByteSliceToString(uts.Release[:])
	}
	if pretty := field("/etc/os-release", "PRETTY_NAME", "="); pretty != "" {
		return strings.Trim(pretty, `"`) + ", " + name
	}
	return name
}

func cpuModel() string { return field("/proc/cpuinfo", "model name", ":") }

// field is the value of the first line of file that has that key.
func field(file, key, separator string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if k, v, ok := strings.Cut(lines.Text(), separator); ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}
