/* A peer that knows this device by another address, as one in another tailnet would. */
#include "tests/node/testnet.h"

static struct testnet net;

enum { TEXT_MAX = 8000 };

static const char filter[] =
	"\"PacketFilter\":[{\"SrcIPs\":[\"*\"],\"DstPorts\":[{\"IP\":\"*\",\"Ports\":{\"First\":0,\"Last\":65535}}]}]";

/* Tells a device of the other one, as its map has it, with this change. */
static void tell(struct dev *to, struct ipaddr of, struct ipaddr masq, struct ipaddr as)
{
	static char text[TEXT_MAX];
	struct ipprefix address = ipprefix_single(as);
	const struct tc_node *n = node_whois(to->a, of);
	struct tc_node changed;
	struct buf b;

	CHECK_TRUE(n != NULL);
	changed = *n;
	changed.masq4 = masq;
	if (ipaddr_is_set(as))
		changed.addresses = changed.allowed_ips = json_list_of(&address, 1);
	buf_init(&b, TEXT_MAX);
	CHECK_INT(json_encode(&tc_node_type, &changed, &b), ==, 0);
	snprintf(text, sizeof(text), "{%s,\"PeersChanged\":[%.*s]}", filter, (int)buf_len(&b),
		(const char *)buf_data(&b));
	buf_fini(&b);
	testnet_say_to(&net, to, text);
}

/* A datagram; what comes out is the last that was got. False: nothing. */
static bool carry(
	struct dev *from, struct dev *to, struct ipaddr src, struct ipaddr dst, struct ip_pkt *ret)
{
	static uint8_t mem[PKT_ROOM(256)];
	struct pkt p = pkt_in(mem, 0);
	int len = ip_udp_encode((struct ipport){ src, 1000 }, (struct ipport){ dst, 2000 },
		VIEW_LIT("hello"), p.p, 256);

	CHECK_INT(len, >, 0);
	p.len = (size_t)len;
	to->n_got = 0;
	node_port_in(from->a, NODE_PORT_TUN, &p, 1, net.now);
	dev_take_packets(from);
	testnet_run(&net, MSEC(500));
	if (!to->n_got)
		return false;
	ip_decode(to->got[to->n_got - 1].b, to->got[to->n_got - 1].len, ret);
	CHECK_TRUE(ip_udp_is_sound(ret, to->got[to->n_got - 1].b));
	return true;
}

struct ping_note {
	unsigned called;
	bool failed;
};

static void note_ping(void *ctx, const struct ipn_ping_result *r)
{
	struct ping_note *n = ctx;

	n->called++;
	n->failed = r->err && *r->err;
}

static void it_sees_that_address_and_we_our_own(void **state)
{
	const struct ipaddr other = ipaddr_v4(100, 101, 102, 103), none = { 0 };
	struct dev *a = &net.dev[0], *b = &net.dev[1];
	struct ping_note n = { 0 };
	struct ip_pkt got;
	struct ipaddr own;

	testnet_new(&net);
	testnet_join(&net, a, "anna");
	testnet_join(&net, b, "ben");
	testnet_run(&net, SEC(5));
	own = dev_ip(a);
	tell(b, own, none, other);
	CHECK_TRUE(!carry(a, b, own, dev_ip(b), &got)); /* nobody whom it knows */
	tell(a, dev_ip(b), other, none);
	CHECK_TRUE(carry(a, b, own, dev_ip(b), &got));
	CHECK_TRUE(ipaddr_eq(ip_src(&got), other) && ipaddr_eq(ip_dst(&got), dev_ip(b)));
	CHECK_TRUE(carry(b, a, dev_ip(b), other, &got));
	CHECK_TRUE(ipaddr_eq(ip_src(&got), dev_ip(b)) && ipaddr_eq(ip_dst(&got), own));
	node_ping(a->a, dev_ip(b), IPN_PING_TSMP, 0, note_ping, &n, net.now);
	node_ping(b->a, other, IPN_PING_TSMP, 0, note_ping, &n, net.now);
	testnet_run(&net, SEC(1));
	CHECK_TRUE(n.called == 2 && !n.failed);
	/* What this device forwards for others has its own source. */
	CHECK_TRUE(!carry(a, b, ipaddr_v4(10, 0, 0, 1), dev_ip(b), &got));
	tell(b, other, none, own);
	tell(a, dev_ip(b), none, none);
	CHECK_TRUE(carry(a, b, own, dev_ip(b), &got));
	CHECK_TRUE(ipaddr_eq(ip_src(&got), own));
	testnet_free(&net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_sees_that_address_and_we_our_own),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
