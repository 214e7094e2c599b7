#include "cli/common/common.h"

static int mutually_exclusive(struct cli *c, const struct flag *flags)
{
	int n = (int)flag_on(flags, "1") + (int)flag_on(flags, "4") + (int)flag_on(flags, "6");

	return n > 1 ? cli_fail(c, "warren ip -1, -4, and -6 are mutually exclusive") : 0;
}

static int check_assertion(struct cli *c, const char *want, const struct json_list *ips)
{
	const char *all = "";

	for (size_t i = 0; i < ips->n; i++) {
		const char *ip = cli_ip_text(c, *JSON_AT(*ips, struct ipaddr, i));
		if (strcmp(ip, want) == 0)
			return 0;
		all = arena_printf(&c->arena, "%s%s%s", all, i ? " " : "", ip);
	}
	return cli_fail(c, "assertion failed: IP \"%s\" not found among [%s]", want, all);
}

/* The addresses of a device; NULL after an error was printed. */
static const struct json_list *addresses_of(
	struct cli *c, const char *name, const struct ipn_status *s)
{
	const struct ipn_peer_status *p;
	struct ipaddr ip;
	bool self;

	if (!cli_find_ip(c, name, &ip, &self))
		return NULL;
	p = cli_peer_by_ip(s, ip);
	if (!p)
		cli_fail(c, "no peer or service found with IP %s", cli_ip_text(c, ip));
	return p ? &p->tailscale_ips : NULL;
}

static int run(struct cli *c, struct flag *flags, int argc, char **argv)
{
	const struct json_list *ips;
	struct ipn_status s;
	bool match = false;
	int family = flag_on(flags, "4") ? 4 : flag_on(flags, "6") ? 6 : 0;

	if (argc > 1)
		return cli_fail(c, "too many arguments, expected at most one peer");
	if (mutually_exclusive(c, flags) || !cli_get_status(c, true, &s))
		return 1;
	ips = argc ? addresses_of(c, argv[0], &s) : &s.tailscale_ips;
	if (!ips)
		return 1;
	if (!ips->n)
		return cli_fail(
			c, "no current Warren IPs; state: %s", cli_text_or(s.backend_state, ""));
	if (*flag_text(flags, "assert"))
		return check_assertion(c, flag_text(flags, "assert"), ips);
	for (size_t i = 0; i < ips->n; i++) {
		struct ipaddr ip = *JSON_AT(*ips, struct ipaddr, i);

		if ((family && ip.family != family) || (match && flag_on(flags, "1")))
			continue;
		match = true;
		printf("%s\n", cli_ip_text(c, ip));
	}
	return match ? 0 : cli_fail(c, "no Warren IPv%d address", family);
}

static struct flag flags[] = {
	{ .name = "1", .kind = FLAG_BOOL, .help = "one address only" },
	{ .name = "4", .kind = FLAG_BOOL, .help = "IPv4 only" },
	{ .name = "6", .kind = FLAG_BOOL, .help = "IPv6 only" },
	{ .name = "assert", .kind = FLAG_TEXT, .help = "fail unless this is one of the addresses" },
	{ .name = NULL },
};

const struct cli_cmd cli_ip = {
	.name = "ip",
	.run = run,
	.usage = "ip [-1] [-4] [-6] [peer hostname or IP]",
	.help = "Show the addresses of this or another device",
	.flags = flags,
};
