#include "daemon/net/lan.h"
#include "testlib/check.h"

static struct ipprefix prefix(const char *text)
{
	struct ipprefix p = { 0 };

	CHECK_INT(ipprefix_parse(text, strlen(text), &p), ==, 0);
	return p;
}

struct list {
	struct ipprefix v[8];
	size_t n;
};

static struct list list_of(const char *text)
{
	struct list l = { 0 };
	char copy[256], *rest = copy, *word;

	snprintf(copy, sizeof(copy), "%s", text);
	while ((word = strsep(&rest, " ")))
		if (*word)
			l.v[l.n++] = prefix(word);
	return l;
}

static void check_list(const struct ipprefix *v, size_t n, const char *expect)
{
	char text[256] = "", one[IPPREFIX_TEXT_MAX];

	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(text);

		snprintf(text + len, sizeof(text) - len, "%s%s", i ? " " : "",
			ipprefix_format(v[i], one));
	}
	CHECK_STR(text, expect);
}

static void a_network_that_we_are_on_stands_before_routes(void **state)
{
	static const struct {
		const char *routes, *addrs;
		bool keep, exit_lan;
		const char *into, *local;
	} rows[] = {
		/* At home: the same network, a wider one, one machine of it. */
		{ "192.168.1.0/24", "192.168.1.5/24", true, false, "", "192.168.1.0/24" },
		{ "192.168.0.0/16", "192.168.1.5/24", true, false, "192.168.0.0/16",
			"192.168.1.0/24" },
		{ "192.168.1.9/32", "192.168.1.5/24", true, false, "", "" },
		{ "fd12::/64", "fd12::5/64", true, false, "", "fd12::/64" },
		/* Elsewhere, or when it is not wanted. */
		{ "192.168.1.0/24", "192.168.2.5/24", true, false, "192.168.1.0/24", "" },
		{ "192.168.1.0/24", "192.168.1.5/24", false, false, "192.168.1.0/24", "" },
		/* The internet and the tailnet's own addresses are another matter. */
		{ "0.0.0.0/0 ::/0", "192.168.1.5/24 fe80::1/64", true, false, "0.0.0.0/0 ::/0",
			"" },
		{ "0.0.0.0/0", "192.168.1.5/24", true, true, "0.0.0.0/0", "192.168.1.0/24" },
		{ "0.0.0.0/0 192.168.1.0/24", "192.168.1.5/24", false, true,
			"0.0.0.0/0 192.168.1.0/24", "192.168.1.0/24" },
		{ "100.64.0.7/32", "100.64.0.1/10", true, false, "100.64.0.7/32", "" },
		/* No networks: loopback, an address alone, link-local. */
		{ "10.0.0.0/8", "127.0.0.1/8 10.1.2.3/32 169.254.1.1/16", true, false, "10.0.0.0/8",
			"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct list routes = list_of(rows[i].routes), addrs = list_of(rows[i].addrs);
		struct node_net_config c = { .routes = routes.v,
			.n_routes = routes.n,
			.keep_lan = rows[i].keep,
			.exit_lan = rows[i].exit_lan };
		struct lan lan;

		CHECK_ROW("%s at %s", rows[i].routes, rows[i].addrs);
		CHECK_INT(lan_keep(&lan, &c, addrs.v, addrs.n), ==, 0);
		check_list(lan.routes, lan.n_routes, rows[i].into);
		check_list(lan.local, lan.n_local, rows[i].local);
		lan_fini(&lan);
	}
}

static void a_shadowed_route_is_told(void **state)
{
	const struct ipprefix at = prefix("192.168.1.5/24"), same = prefix("192.168.1.0/24"),
			      wide = prefix("192.168.0.0/16"), other = prefix("192.168.2.0/24"),
			      all = prefix("0.0.0.0/0");

	(void)state;
	CHECK_TRUE(lan_shadows(&same, &at, 1) && lan_shadows(&wide, &at, 1));
	CHECK_TRUE(!lan_shadows(&other, &at, 1) && !lan_shadows(&all, &at, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_network_that_we_are_on_stands_before_routes),
		cmocka_unit_test(a_shadowed_route_is_told),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
