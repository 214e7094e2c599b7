#include "daemon/services/machine.h"
#include "localapi/server/request.h"
#include "os/file/file.h"
#include "proto/resolvconf/resolvconf.h"

struct os_config {
	struct json_list nameservers, search_domains, match_domains;
};

static const struct json_field os_config_fields[] = {
	JSON_F(struct os_config, nameservers, "Nameservers", json_str_list, 0),
	JSON_F(struct os_config, search_domains, "SearchDomains", json_str_list, 0),
	JSON_F(struct os_config, match_domains, "MatchDomains", json_str_list, 0),
	JSON_END,
};
static JSON_OBJECT_TYPE(os_config_type, struct os_config, os_config_fields);

static void add_words(struct json_list *l, struct arena *a, const struct view *w, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char **item = json_list_add(l, a, sizeof(*item));
		if (item)
			*item = arena_strndup(a, (const char *)w[i].p, w[i].len);
	}
}

static int dns_osconfig(struct http_request *q)
{
	struct os_config c = { { .present = true }, { .present = true }, { .present = true } };
	struct resolvconf file;
	struct buf text;
	int rc;

	buf_init(&text, RESOLVCONF_TEXT_MAX);
	rc = file_read("/etc/resolv.conf", &text);
	if (rc == 0) {
		resolvconf_parse(buf_view(&text), &file);
		add_words(&c.nameservers, &q->mem, file.server, file.n_servers);
		add_words(&c.search_domains, &q->mem, file.search, file.n_search);
		rc = lapi_send_json(q->reply, 200, &os_config_type, &c, JSON_LINE);
	} else {
		rc = lapi_send_text(q->reply, 500, "reading /etc/resolv.conf: %s", err_text(rc));
	}
	buf_fini(&text);
	return rc;
}

static int only_get(struct http_request *q)
{
	return lapi_send_text(q->reply, 405, "only GET allowed");
}

/* ---- the kernel's settings ---- */

static bool is_on(const char *path)
{
	struct buf text;
	bool on;

	buf_init(&text, 16);
	on = file_read(path, &text) == 0 && buf_len(&text) && buf_data(&text)[0] == '1';
	buf_fini(&text);
	return on;
}

static int check_ip_forwarding(struct http_request *q)
{
	bool v4 = is_on("/proc/sys/net/ipv4/ip_forward"),
	     v6 = is_on("/proc/sys/net/ipv6/conf/all/forwarding");
	const char *text = "";

	if (!v4 && !v6)
		text = "IP forwarding is disabled; subnet routes and exit nodes will not work.";
	else if (!v4)
		text = "IPv4 forwarding is disabled; IPv4 subnet routes and exit nodes will not work.";
	else if (!v6)
		text = "IPv6 forwarding is disabled; IPv6 subnet routes and exit nodes will not work.";
	return lapi_send_json_error(q->reply, 200, "Warning", text);
}

/* Nothing to warn of: the node's packets are cut and joined by the daemon, whatever the interface's setting. */
static int check_gro(struct http_request *q)
{
	return lapi_send_json_error(q->reply, 200, "Warning", "");
}

static int check_so_mark(struct http_request *q)
{
	return lapi_send_body(q->reply, "application/json", VIEW_LIT("{\"UseSOMark\":true}\n"));
}

static const char denied[] = "dns-osconfig dump access denied";

/* HEAD is not served where the original wants GET. */
static const struct http_route routes[] = {
	{ "HEAD", "/dns-osconfig", LAPI_WRITE, .fn = only_get, .denied = denied },
	{ "GET", "/dns-osconfig", LAPI_WRITE, .fn = dns_osconfig, .denied = denied },
	{ NULL, "/dns-osconfig", LAPI_WRITE, .fn = only_get, .denied = denied },
	{ NULL, "/check-ip-forwarding", 0, .fn = check_ip_forwarding },
	{ NULL, "/check-udp-gro-forwarding", 0, .fn = check_gro },
	{ NULL, "/check-so-mark-in-use", 0, .fn = check_so_mark },
};
static const struct router table = LAPI_TABLE(routes);
const struct service machine_service = { .name = "machine", .routes = &table };
