#include "daemon/services/machine.h"
#include "localapi/server/request.h"
#include "os/ethtool/ethtool.h"
#include "os/route/route.h"

#include <errno.h>

#define SETTINGS "/etc/sysctl.d/99-warren.conf"

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

/* What others say: our own servers are no configuration of the system. */
static int dns_osconfig(struct http_request *q)
{
	struct os_config c = { { .present = true }, { .present = true }, { .present = true } };
	const struct machine *m = q->ctx;
	const struct os_dns_config *base = m->ops->dns_base(m->owner);
	char text[IPADDR_TEXT_MAX];

	if (!base)
		return lapi_send_text(q->reply, 500, "the daemon begins or ends");
	for (size_t i = 0; i < base->n_servers; i++) {
		const char **item = json_list_add(&c.nameservers, &q->mem, sizeof(*item));
		if (item)
			*item = arena_strdup(&q->mem, ipaddr_format(base->server[i], text));
	}
	for (size_t i = 0; i < base->n_search; i++) {
		const char **item = json_list_add(&c.search_domains, &q->mem, sizeof(*item));
		if (item)
			*item = base->search[i];
	}
	return lapi_send_json(q->reply, 200, &os_config_type, &c, JSON_LINE);
}

static int dns_manager(struct http_request *q)
{
	const struct machine *m = q->ctx;
	struct ipn_dns_manager manager;

	if (!m->ops->dns_manager(m->owner, &manager))
		return lapi_send_text(q->reply, 500, "the daemon begins or ends");
	return lapi_send_json(q->reply, 200, &ipn_dns_manager_type, &manager, JSON_LINE);
}

static int only_get(struct http_request *q)
{
	return lapi_send_text(q->reply, 405, "only GET allowed");
}

/* ---- the kernel's settings ---- */

static bool is_off(const char *families, char family)
{
	return (!*families || strchr(families, family)) &&
	       !route_forwards((unsigned)(family - '0'));
}

/* families: of the routes in question, "4", "6"; programs that do not say mean both. */
static int check_ip_forwarding(struct http_request *q)
{
	const char *families = lapi_param(q, "families"), *what, *text = "";
	bool off4 = is_off(families, '4'), off6 = is_off(families, '6');

	what = off4 && off6 ? "IP forwarding is disabled;"
	       : off4       ? "IPv4 forwarding is disabled; IPv4"
			    : "IPv6 forwarding is disabled; IPv6";
	if (off4 || off6)
		text = arena_printf(&q->mem,
			"%s subnet routes and exit nodes will not work. To turn it on, now and at each start: printf '%%s = 1\\n'%s%s | "
			"sudo tee " SETTINGS " && sudo sysctl -p " SETTINGS,
			what, off4 ? " net.ipv4.ip_forward" : "",
			off6 ? " net.ipv6.conf.all.forwarding" : "");
	return text ? lapi_send_json_error(q->reply, 200, "Warning", text) : -ENOMEM;
}

/* What a router forwards comes from this interface; joined, its UDP costs the kernel and us less. */
static const struct {
	const char *feature;
	bool on;
} gro_wanted[] = { { "rx-udp-gro-forwarding", true }, { "rx-gro-list", false } };

static const char *gro_interface(struct http_request *q)
{
	const struct machine *m = q->ctx;

	return m->ops->gro_interface(m->owner);
}

/* A kernel that does not know a feature has nothing to be set. */
static int check_gro(struct http_request *q)
{
	const char *interface = gro_interface(q), *text = "";
	bool slow = false;

	for (size_t i = 0; interface && i < ARRAY_LEN(gro_wanted); i++)
		slow |= ethtool_feature(interface, gro_wanted[i].feature) == !gro_wanted[i].on;
	if (slow)
		text = arena_printf(&q->mem,
			"UDP is forwarded more slowly than this machine could: %s does not join what belongs together. To change that until the next "
			"start: sudo ethtool -K %s rx-udp-gro-forwarding on rx-gro-list off",
			interface, interface);
	return text ? lapi_send_json_error(q->reply, 200, "Warning", text) : -ENOMEM;
}

/* Until the machine's next start, as with the command that check_gro names. */
static int set_gro(struct http_request *q)
{
	const char *interface = gro_interface(q), *text = "";

	for (size_t i = 0; interface && text && !*text && i < ARRAY_LEN(gro_wanted); i++) {
		int rc = ethtool_set_feature(interface, gro_wanted[i].feature, gro_wanted[i].on);

		if (rc < 0 && rc != -ENOENT)
			text = arena_printf(&q->mem, "%s of %s could not be set: %s",
				gro_wanted[i].feature, interface, err_text(rc));
	}
	return text ? lapi_send_json_error(q->reply, 200, "Warning", text) : -ENOMEM;
}

static int check_so_mark(struct http_request *q)
{
	return lapi_send_body(q->reply, "application/json", VIEW_LIT("{\"UseSOMark\":true}\n"));
}

static const char denied[] = "dns-osconfig dump access denied",
		  gro_denied[] = "UDP GRO forwarding set access denied";

/* HEAD is not served where the original wants GET. */
static const struct http_route routes[] = {
	{ "HEAD", "/dns-osconfig", LAPI_WRITE, .fn = only_get, .denied = denied },
	{ "GET", "/dns-osconfig", LAPI_WRITE, .fn = dns_osconfig, .denied = denied },
	{ NULL, "/dns-osconfig", LAPI_WRITE, .fn = only_get, .denied = denied },
	{ "GET", "/warren/dns-manager", 0, .fn = dns_manager },
	{ NULL, "/warren/dns-manager", 0, .fn = only_get },
	{ NULL, "/check-ip-forwarding", 0, .fn = check_ip_forwarding },
	{ NULL, "/check-udp-gro-forwarding", 0, .fn = check_gro },
	{ "POST", "/set-udp-gro-forwarding", LAPI_WRITE, .fn = set_gro, .denied = gro_denied },
	{ NULL, "/check-so-mark-in-use", 0, .fn = check_so_mark },
};
static const struct router table = LAPI_TABLE(routes);
const struct service machine_service = { .name = "machine", .routes = &table };
