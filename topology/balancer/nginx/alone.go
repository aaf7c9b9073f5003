package nginx

// ofNginxAlone tells whether a line says how nginx works, and nothing about where a request goes or what the
// client gets.
func ofNginxAlone(directive string) bool {
	switch directive {
	case "#", "user", "worker_processes", "worker_rlimit_nofile", "worker_shutdown_timeout", "worker_cpu_affinity", "pid", "error_log", "events", "daemon",
		"access_log", "log_format", "log_not_found", "map", "types", "default_type", "server_tokens", "server_name",
		"client_body_temp_path", "proxy_temp_path", "fastcgi_temp_path", "uwsgi_temp_path", "scgi_temp_path",
		"client_body_buffer_size", "client_header_buffer_size", "large_client_header_buffers", "client_body_timeout",
		"client_header_timeout", "send_timeout", "proxy_send_timeout", "proxy_buffering", "proxy_buffer_size", "proxy_buffers", "proxy_busy_buffers_size",
		"proxy_request_buffering", "proxy_max_temp_file_size", "proxy_http_version", "proxy_socket_keepalive", "proxy_next_upstream",
		"proxy_next_upstream_tries", "proxy_next_upstream_timeout", "keepalive_timeout", "keepalive_requests", "keepalive_time",
		"reset_timedout_connection", "lingering_close", "lingering_timeout", "sendfile", "tcp_nopush", "tcp_nodelay", "aio", "open_file_cache",
		"ignore_invalid_headers", "underscores_in_headers":
		return true
	}
	return false
}

// told tells whether every balancer tells the servers this header with what nginx calls that value.
func told(header, value string) bool {
	switch header {
	case "Host":
		return value == "$http_host" || value == "$host"
	case "X-Real-IP":
		return value == "$remote_addr"
	case "X-Forwarded-For":
		return value == "$proxy_add_x_forwarded_for"
	case "X-Forwarded-Proto":
		return value == "$scheme" || value == "$client_scheme"
	case "Upgrade":
		return value == "$http_upgrade"
	case "Connection":
		return value == "$connection_upgrade" || value == ""
	}
	return false
}
