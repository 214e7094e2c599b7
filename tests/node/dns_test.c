/* What a device makes of the hub's DNS settings: for its own resolver, and for the system's. */
#include "core/node/node.h"
#include "core/dns/names/names.h"
#include "tests/node/testnet.h"

static struct testnet net;

/* What there was to take since the last time: bits of kinds. */
static unsigned taken(struct dev *d)
{
	unsigned n = d->events[NODE_DNS];

	d->events[NODE_DNS] = 0;
	return n;
}

static struct dev *join_two(void)
{
	testnet_new(&net);
	testnet_join(&net, &net.dev[0], "anna");
	testnet_join(&net, &net.dev[1], "bert");
	testnet_settle(&net);
	taken(&net.dev[0]);
	return net.dev;
}

static bool has_match(const struct node_os_dns *o, const char *suffix)
{
	for (size_t i = 0; i < o->split.n_match; i++)
		if (!strcmp(o->split.match[i], suffix))
			return true;
	return false;
}

static const struct dns_known *named(const struct dev *d, const char *text)
{
	const struct dns_config *c = node_dns_config(d->a);
	struct dnsmsg_name n, domain;

	CHECK_INT(dnsmsg_name_parse(text, strlen(text), &n), ==, 0);
	CHECK_INT(dnsmsg_name_parse(c->domain, strlen(c->domain), &domain), ==, 0);
	CHECK_TRUE(dnsmsg_name_join(&n, &domain, &n));
	return dns_names_find(c->names, &n);
}

static void names_follow_the_map_without_a_word(void **state)
{
	struct dev *d = join_two();

	CHECK_TRUE(named(d, "anna") && named(d, "bert") && !named(d, "carl"));
	testnet_join(&net, &net.dev[2], "carl");
	testnet_settle(&net);
	CHECK_TRUE(named(d, "carl") && named(d, "carl")->n_addrs == 2);
	CHECK_INT(taken(d), ==, 0);
	testnet_free(&net);
}

static void suffixes_alone_leave_the_rest_to_the_system(void **state)
{
	struct dev *d = join_two();
	const struct dns_config *c;
	const struct node_os_dns *o;

	testnet_say(&net,
		"{\"DNSConfig\":{\"Proxied\":true,\"Domains\":[\"Corp.Example\"],\"Routes\":{\"corp.example\":"
		"[{\"Addr\":\"10.1.1.1\"},{\"Addr\":\"tls://dns.example:8853\"},{\"Addr\":\"10.1.1.2:5353\"}],"
		"\"mine.example.\":null},\"ExtraRecords\":[{\"Name\":\"x.corp.example\",\"Value\":\"10.9.9.9\"},"
		"{\"Name\":\"y.other.example\",\"Value\":\"10.9.9.8\"}]}}");
	CHECK_INT(taken(d), ==, 1);
	c = node_dns_config(d->a);
	CHECK_TRUE(c->magic && !c->no_base && !c->n_defaults && c->n_records == 2);
	CHECK_INT(c->n_routes, ==, 2);
	CHECK_INT(c->routes[0].n_up, ==, 3);
	CHECK_INT(c->routes[0].up[1].transport, ==, DNS_TLS);
	CHECK_STR(c->routes[0].up[1].host, "dns.example");
	CHECK_INT(c->routes[0].up[1].addr.port, ==, 8853);
	CHECK_INT(c->routes[0].up[2].addr.port, ==, 5353);
	CHECK_INT(c->routes[1].n_up, ==, 0);
	o = node_os_dns(d->a);
	CHECK_TRUE(o->wanted && o->wants_base);
	CHECK_INT(o->whole.n_servers, ==, 2);
	CHECK_INT(o->whole.n_match, ==, 0);
	CHECK_STR(o->whole.search[0], "corp.example");
	CHECK_TRUE(has_match(o, "corp.example") && has_match(o, "mine.example") &&
		   has_match(o, "y.other.example") && !has_match(o, "x.corp.example") &&
		   has_match(o, "64.100.in-addr.arpa"));
	testnet_say(&net, "{\"Health\":[\"nothing of DNS\"]}");
	CHECK_INT(taken(d), ==, 0);
	testnet_free(&net);
}

static void servers_for_everything_take_everything(void **state)
{
	struct dev *d = join_two();
	const struct node_os_dns *o;

	testnet_say(&net,
		"{\"DNSConfig\":{\"Resolvers\":[{\"Addr\":\"https://dns.nextdns.io/abc123/dev\","
		"\"BootstrapResolution\":[\"45.90.28.0\"]},{\"Addr\":\"http://192.0.2.1/dns-query\"}]}}");
	CHECK_INT(node_dns_config(d->a)->n_defaults, ==, 1); /* not over HTTP to anybody */
	CHECK_STR(node_dns_config(d->a)->defaults[0].url, "https://dns.nextdns.io/abc123/dev");
	CHECK_INT(node_dns_config(d->a)->defaults[0].n_dial, ==, 1);
	o = node_os_dns(d->a);
	CHECK_TRUE(o->wanted && !o->wants_base && !o->split.n_match && o->split.n_servers == 2);
	testnet_say(&net, "{\"DNSConfig\":{}}");
	o = node_os_dns(d->a);
	CHECK_TRUE(o->wanted && !o->whole.n_servers && !o->whole.n_search);
	testnet_free(&net);
}

static void set_prefs(struct dev *d, bool corp_dns, const char *exit)
{
	struct ipn_prefs p = *node_prefs(d->a);
	struct err_at at;

	p.corp_dns = corp_dns;
	p.exit_node_id = exit;
	CHECK_INT(node_set_prefs(d->a, &p, net.now, &at), ==, 0);
	testnet_settle(&net);
}

static void accept_dns_off_leaves_the_system_alone(void **state)
{
	struct dev *d = join_two();

	testnet_say(&net,
		"{\"DNSConfig\":{\"Proxied\":true,\"Resolvers\":[{\"Addr\":\"10.1.1.1\"}],"
		"\"ExtraRecords\":[{\"Name\":\"x.corp.example\",\"Value\":\"10.9.9.9\"}]}}");
	taken(d);
	set_prefs(d, false, "");
	CHECK_INT(taken(d), ==, 1);
	CHECK_TRUE(!node_os_dns(d->a)->wanted);
	CHECK_TRUE(node_dns_config(d->a)->no_base && !node_dns_config(d->a)->n_defaults);
	CHECK_INT(node_dns_config(d->a)->n_records, ==, 1);
	CHECK_TRUE(named(d, "bert") != NULL);
	set_prefs(d, true, "");
	CHECK_INT(taken(d), ==, 1);
	CHECK_TRUE(node_os_dns(d->a)->wanted);
	testnet_free(&net);
}

static void an_exit_node_is_asked_for_all_but_what_the_hub_leaves_to_us(void **state)
{
	struct dev *d = join_two();
	const struct tc_node *peer;
	const struct dns_config *c;
	char text[700], key[KEY_TEXT_MAX];

	netmap_peers(node_netmap(d->a), &peer);
	key_format(KEY_NODE, peer->key.b, key);
	snprintf(text, sizeof(text),
		"{\"PeersChanged\":[{\"ID\":%lld,\"StableID\":\"nexit\",\"Name\":\"bert.x.\",\"Key\":\"%s\",\"Cap\":100,"
		"\"Addresses\":[\"100.64.0.2/32\"],\"AllowedIPs\":[\"100.64.0.2/32\",\"0.0.0.0/0\",\"::/0\"],"
		"\"Hostinfo\":{\"Services\":[{\"Proto\":\"peerapi4\",\"Port\":4242}]}}],"
		"\"DNSConfig\":{\"Resolvers\":[{\"Addr\":\"10.1.1.1\"}],\"Routes\":{\"a.example\":[{\"Addr\":\"10.2.2.2\"}],"
		"\"b.example\":[{\"Addr\":\"10.3.3.3\",\"UseWithExitNode\":true}],\"c.example\":[]}}}",
		(long long)peer->id, key);
	testnet_say(&net, text);
	set_prefs(d, true, "nexit");
	c = node_dns_config(d->a);
	CHECK_INT(c->n_defaults, ==, 1);
	CHECK_INT(c->defaults[0].transport, ==, DNS_PEER);
	CHECK_STR(c->defaults[0].url, "http://100.64.0.2:4242/dns-query");
	CHECK_INT(c->n_routes, ==, 2);
	CHECK_STR(c->routes[0].suffix, "b.example");
	CHECK_TRUE(c->no_base);
	set_prefs(d, true, "");
	c = node_dns_config(d->a);
	CHECK_TRUE(c->n_defaults == 1 && c->defaults[0].transport == DNS_UDP && c->n_routes == 3);
	testnet_free(&net);
}

static void an_exit_node_that_is_wireguard_only_brings_its_servers(void **state)
{
	struct dev *d = join_two();
	const struct tc_node *peer;
	char text[700], key[KEY_TEXT_MAX];

	netmap_peers(node_netmap(d->a), &peer);
	key_format(KEY_NODE, peer->key.b, key);
	snprintf(text, sizeof(text),
		"{\"PeersChanged\":[{\"ID\":%lld,\"StableID\":\"nexit\",\"Name\":\"bert.x.\",\"Key\":\"%s\",\"IsWireGuardOnly\":true,"
		"\"Addresses\":[\"100.64.0.2/32\"],\"AllowedIPs\":[\"100.64.0.2/32\",\"0.0.0.0/0\",\"::/0\"],"
		"\"ExitNodeDNSResolvers\":[{\"Addr\":\"10.64.0.1\"}]}],\"DNSConfig\":{\"Proxied\":true}}",
		(long long)peer->id, key);
	testnet_say(&net, text);
	CHECK_INT(node_dns_config(d->a)->n_defaults, ==, 0);
	set_prefs(d, true, "nexit");
	CHECK_INT(node_dns_config(d->a)->n_defaults, ==, 1);
	CHECK_INT(node_dns_config(d->a)->defaults[0].addr.ip.b[1], ==, 64);
	testnet_say(&net, "{\"DNSConfig\":{\"Resolvers\":[{\"Addr\":\"10.1.1.1\"}]}}");
	CHECK_INT(node_dns_config(d->a)->n_defaults, ==, 1);
	CHECK_INT(node_dns_config(d->a)->defaults[0].addr.ip.b[1], ==, 1);
	testnet_free(&net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_follow_the_map_without_a_word),
		cmocka_unit_test(suffixes_alone_leave_the_rest_to_the_system),
		cmocka_unit_test(servers_for_everything_take_everything),
		cmocka_unit_test(accept_dns_off_leaves_the_system_alone),
		cmocka_unit_test(an_exit_node_is_asked_for_all_but_what_the_hub_leaves_to_us),
		cmocka_unit_test(an_exit_node_that_is_wireguard_only_brings_its_servers),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
