#include "tests/hostinfo/hostinfo.h"

struct making {
	struct rng *r;
	struct buf *out;
	bool sane, first;
	int rc;
};

static void put(struct making *m, const char *s)
{
	if (m->rc == 0)
		m->rc = buf_append_str(m->out, s);
}

static void times(struct making *m, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		put(m, s);
}

static size_t below(struct making *m, size_t n)
{
	return (size_t)rng_below(m->r, n);
}

/* What a text can hold, as JSON. */
static const char *const bits[] = { "a", "box", "\\u001b[2J\\u001b]0;x\\u0007", "\\u202e",
	"\\u2066", "\\u200b", "\\u200d", "\\ufeff", "\\u0085", "\\u009b31m", "\\u007f",
	"\\n* ssh-ed25519 AAAA", "\\r\\n", "\\t", "<script>", "\\\"", "\\\\", "\\u2028", "\\ufe0f",
	"\xc3\xa9", "\\udbff\\udfff", "\\ud83d\\ude00", "\xe2\x80\xae", "\xf3\xa0\x81\x81",
	"\\u0600", "\\ufffe", "\\u00ad", "%s%n", "'; --" };
/* What no document may hold: an escape that is none, a bare control character, bytes that are no UTF-8, a NUL, half a pair. */
static const char *const broken[] = { "\\q", "\x01", "\xff\xfe", "\xc0\xaf", "\\u0000", "\\ud800",
	"\xed\xa0\x80", "\\u12", "\\" };
static const size_t lengths[] = { 0, 1, 3, 20, 63, 64, 65, 255, 256, 300, 1000, 5000, 70000 };

static void text(struct making *m)
{
	size_t n = below(m, 5);

	put(m, "\"");
	for (size_t i = 0; i < n; i++)
		put(m, bits[below(m, ARRAY_LEN(bits))]);
	if (!m->sane && below(m, 12) == 0)
		put(m, broken[below(m, ARRAY_LEN(broken))]);
	if (below(m, 10) == 0) {
		const char *bit = bits[below(m, 5)];

		/* So many bytes: a body over the hub's limit would end the connection, and show nothing. */
		times(m, bit, lengths[below(m, m->sane ? 11 : ARRAY_LEN(lengths))] / strlen(bit));
	}
	put(m, "\"");
}

static void number(struct making *m)
{
	static const char *const good[] = { "0", "1", "443", "65535" };
	static const char *const bad[] = { "70000", "-1", "65536", "2147483648",
		"9223372036854775808", "1e999", "0.5", "1E400", "-0", "99999999999999999999", "00",
		"+1" };

	put(m, m->sane || below(m, 3) ? good[below(m, ARRAY_LEN(good))]
				      : bad[below(m, ARRAY_LEN(bad))]);
}

static void degrees(struct making *m)
{
	static const char *const some[] = { "0", "48.85", "-200", "1e300", "-0.0", "1e-320", "90",
		"180.5" };

	put(m, m->sane || below(m, 8) ? some[below(m, ARRAY_LEN(some))] : "1e999");
}

/* A value of any kind, where another one is expected. */
static void strange(struct making *m)
{
	static const size_t depths[] = { 1, 8, 27, 28, 31, 33, 100, 5000 };
	size_t n;

	switch (below(m, 5)) {
	case 0:
		n = depths[below(m, ARRAY_LEN(depths))];
		times(m, "[", n);
		times(m, "]", n);
		break;
	case 1:
		n = depths[below(m, ARRAY_LEN(depths))];
		times(m, "{\"a\":", n);
		put(m, "1");
		times(m, "}", n);
		break;
	case 2:
		text(m);
		break;
	case 3:
		number(m);
		break;
	default:
		put(m, below(m, 2) ? "null" : "true");
	}
}

static void key(struct making *m, const char *name)
{
	if (!m->first)
		put(m, ",");
	m->first = false;
	if (m->rc == 0)
		m->rc = buf_printf(m->out, "\"%s\":", name);
}

/* Begins a member; false: something strange was put in the place of its value. */
static bool member(struct making *m, const char *name)
{
	key(m, name);
	if (m->sane || below(m, 40))
		return true;
	strange(m);
	return false;
}

static void list(struct making *m, void (*item)(struct making *m))
{
	static const size_t counts[] = { 0, 1, 2, 5, 40, 300 };
	size_t n = counts[below(m, below(m, 10) ? 4 : ARRAY_LEN(counts))];

	put(m, "[");
	for (size_t i = 0; i < n; i++) {
		put(m, i ? "," : "");
		item(m);
	}
	put(m, "]");
}

static void service(struct making *m)
{
	static const char *const protos[] = { "tcp", "udp", "peerapi4", "peerapi6",
		"peerapi-dns-proxy", "egg", "\\u001b" };
	bool outer = m->first;

	put(m, "{");
	m->first = true;
	if (member(m, "Proto") && m->rc == 0)
		m->rc = buf_printf(m->out, "\"%s\"", protos[below(m, ARRAY_LEN(protos))]);
	if (member(m, "Port"))
		number(m);
	if (below(m, 2) && member(m, "Description"))
		text(m);
	put(m, "}");
	m->first = outer;
}

static void ssh_key(struct making *m)
{
	static const char *const keys[] = { "\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ\"",
		"\"ssh-rsa AAAA\\n* ssh-rsa BBBB\"", "\"\"", "\"ssh-rsa \\u001b[31m\"",
		"\"x y\\u202e\"" };

	if (below(m, 6) == 0) {
		put(m, "\"ssh-rsa ");
		times(m, "A", lengths[below(m, 12)]);
		put(m, "\"");
	} else if (below(m, 4)) {
		put(m, keys[below(m, ARRAY_LEN(keys))]);
	} else {
		text(m);
	}
}

static void mac(struct making *m)
{
	if (below(m, 2))
		put(m, "\"02:00:5e:10:00:01\"");
	else
		text(m);
}

static void prefix(struct making *m)
{
	static const char *const some[] = { "\"10.0.0.0/8\"", "\"0.0.0.0/0\"", "\"::/0\"",
		"\"10.1.2.3/8\"", "\"fd00::/64\"", "\"\"" };

	put(m, m->sane || below(m, 30) ? some[below(m, ARRAY_LEN(some))] : "\"10.0.0.0/99\"");
}

static void endpoint(struct making *m)
{
	static const char *const some[] = { "\"192.0.2.7:41641\"", "\"[2001:db8::7]:41641\"",
		"\"0.0.0.0:1\"", "\"255.255.255.255:9\"", "\"224.0.0.1:5\"", "\"[fe80::1]:3\"",
		"\"[::ffff:192.0.2.9]:1\"", "\"10.0.0.9:0\"" };

	if (!m->sane && below(m, 100) == 0)
		put(m, below(m, 2) ? "\"10.0.0.1:70000\"" : "\"[fe80::1%eth0]:1\"");
	else if (below(m, 3))
		put(m, some[below(m, ARRAY_LEN(some))]);
	else if (m->rc == 0)
		m->rc = buf_printf(m->out, "\"198.51.100.%u:%u\"", (unsigned)below(m, 255),
			(unsigned)below(m, 65536));
}

static void location(struct making *m)
{
	static const char *const names[] = { "Country", "CountryCode", "City", "CityCode",
		"Unknown" };
	bool outer = m->first;

	put(m, "{");
	m->first = true;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (below(m, 2) && member(m, names[i])) {
			if (i % 2 && below(m, 2))
				put(m, i == 1 ? "\"FR\"" : "\"PAR\"");
			else
				text(m);
		}
	if (below(m, 3) == 0 && member(m, "Latitude"))
		degrees(m);
	if (below(m, 3) == 0 && member(m, "Longitude"))
		degrees(m);
	if (below(m, 3) == 0 && member(m, "Priority"))
		number(m);
	put(m, "}");
	m->first = outer;
}

static void netinfo(struct making *m)
{
	bool outer = m->first;

	put(m, "{");
	m->first = true;
	if (member(m, "PreferredDERP"))
		number(m);
	if (below(m, 2) && member(m, "LinkType"))
		text(m);
	if (below(m, 2) && member(m, "DERPLatency")) {
		put(m, "{\"1-v4\":");
		degrees(m);
		put(m, ",\"1-v4\":0.1,\"\\u001b\":1}");
	}
	put(m, "}");
	m->first = outer;
}

static void tpm(struct making *m)
{
	bool outer = m->first;

	put(m, "{");
	m->first = true;
	if (member(m, "Manufacturer"))
		text(m);
	if (member(m, "Model"))
		number(m);
	put(m, "}");
	m->first = outer;
}

static void host(struct making *m)
{
	static const char *const texts[] = { "IPNVersion", "BackendLogID", "OS", "OSVersion", "Env",
		"Distro", "App", "Package", "DeviceModel", "Machine", "GoArch", "Cloud",
		"ServicesHash", "ExitNodeID", "NoSuchField" };

	put(m, "\"Hostinfo\":{");
	m->first = true;
	if (member(m, "Hostname"))
		text(m);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (below(m, 3) == 0 && member(m, texts[i]))
			text(m);
	if (below(m, 2) && member(m, "Services"))
		list(m, service);
	if (below(m, 2) && member(m, "sshHostKeys"))
		list(m, ssh_key);
	if (below(m, 4) == 0 && member(m, "WoLMACs"))
		list(m, mac);
	if (below(m, 4) == 0 && member(m, "RoutableIPs"))
		list(m, prefix);
	if (below(m, 4) == 0 && member(m, "RequestTags"))
		list(m, text);
	if (below(m, 2) && member(m, "Location"))
		location(m);
	if (below(m, 3) == 0 && member(m, "NetInfo"))
		netinfo(m);
	if (below(m, 4) == 0 && member(m, "TPM"))
		tpm(m);
	if (!m->sane && below(m, 20) == 0)
		key(m, "Unknown"), strange(m);
	put(m, "}");
	m->first = false;
}

int hostile_hostinfo(struct rng *r, bool sane, struct buf *out)
{
	struct making m = { .r = r, .out = out, .sane = sane, .first = true };

	host(&m);
	if (below(&m, 3) == 0 && member(&m, "Endpoints"))
		list(&m, endpoint);
	if (below(&m, 6) == 0 && member(&m, "EndpointTypes"))
		list(&m, number);
	return m.rc;
}
