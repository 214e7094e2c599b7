#include "bin/warren-relay/options.h"

#include "base/err/err.h"
#include "os/budget/budget.h"
#include "relay/relay.h"
#include "term/flags.h"

#include <string.h>

enum { HELP_COLUMN = 21, LISTS_MAX = 64 * 1024, SHOWN_MAX = 150 };

static const char *check_proxies(const char *value)
{
	struct forwarded_trust trust = { 0 };

	return forwarded_trust_add(&trust, value) < 0
		       ? "addresses and prefixes, as 127.0.0.1,10.0.0.0/8"
		       : NULL;
}

static const char *check_memory(const char *value)
{
	uint64_t n;

	return budget_parse(value, &n) < 0 ? "write it as 512M or 2G, at least 64M" : NULL;
}

#define AT(m) .member = offsetof(struct relay_options, m)
static struct flag flags[] = {
	{ .name = "listen",
		.kind = FLAG_TEXT,
		.arg = "ADDR",
		.def = "[::]:443",
		AT(listen),
		.help = "address and port of HTTPS; default [::]:443" },
	{ .name = "stun",
		.kind = FLAG_TEXT,
		.arg = "ADDR",
		.def = "[::]:3478",
		AT(stun),
		.help = "address and port of STUN (UDP); default [::]:3478; \"off\" for none" },
	{ .name = "state-dir",
		.kind = FLAG_TEXT,
		.arg = "DIR",
		.def = "/var/lib/warren-relay",
		AT(state_dir),
		.help = "where the key is kept; default /var/lib/warren-relay" },
	{ .name = "cert",
		.kind = FLAG_TEXT,
		.arg = "FILE",
		AT(cert),
		.help = "certificate chain in PEM; with --key" },
	{ .name = "key", .kind = FLAG_TEXT, .arg = "FILE", AT(key), .help = "its private key" },
	{ .name = "hostname",
		.kind = FLAG_TEXT,
		.arg = "NAME",
		AT(hostname),
		.help = "by which clients reach it: the name in a certificate that is made when none is given, whose pin is\n"
			"printed; with --cert it is checked to be for that name" },
	{ .name = "plain",
		AT(plain),
		.help = "HTTP without TLS: for labs, and behind a proxy that ends TLS" },
	{ .name = "http",
		.kind = FLAG_TEXT,
		.arg = "ADDR",
		AT(http),
		.help = "one more listener without TLS, for captive portal checks; for example [::]:80" },
	{ .name = "trusted-proxy",
		.kind = FLAG_LIST,
		.arg = "CIDR,...",
		.check = check_proxies,
		AT(trusted_proxy),
		.help = "whose X-Forwarded-For says where a request comes from; default nobody's" },
	{ .name = "proxy-protocol",
		AT(proxy_protocol),
		.help = "connections from a --trusted-proxy begin with the PROXY protocol's header" },
	{ .name = "rate",
		.kind = FLAG_INT,
		.arg = "BYTES",
		.max = RELAY_RATE_MAX,
		AT(rate),
		.help = "that a client may send a second; default 0: as much as it can" },
	{ .name = "memory-max",
		.kind = FLAG_TEXT,
		.arg = "BYTES",
		.check = check_memory,
		AT(memory),
		.help = "that the relay may use, as 512M or 2G: its bounds follow from it; default what its cgroup allows, else\n"
			"three quarters of the machine's" },
	{ .name = "limits", AT(limits), .help = "print these bounds, and end" },
	{ .name = "verify-url",
		.kind = FLAG_TEXT,
		.arg = "URL",
		AT(verify_url),
		.help = "where it asks whether a device may log in, for example https://HUB/verify; default: every device may" },
	{ .name = "verify-fail-open",
		AT(verify_fail_open),
		.help = "nobody answers there: let devices in, instead of turning them away" },
	{ .name = "user",
		.kind = FLAG_TEXT,
		.arg = "NAME",
		AT(user),
		.help = "become this user once the ports are bound" },
	{ 0 },
};
#undef AT

static void print_help(void)
{
	fputs("Usage: warren-relay [options]\n"
	      "Relays encrypted packets between devices that cannot reach each other (DERP), and tells them their address (STUN).\n\n",
		stdout);
	flags_print_help(flags, 0, HELP_COLUMN, stdout);
	flags_print_one(&(const struct flag){ .name = "help" }, "this text", HELP_COLUMN, stdout);
}

static int complain(const char *what)
{
	fprintf(stderr, "warren-relay: %s\n", what);
	return -ERR_BAD_VALUE;
}

static int check_together(const struct relay_options *o)
{
	if (!o->cert != !o->key || (o->plain && o->cert))
		return complain("--cert and --key belong together, not with --plain");
	if (o->verify_fail_open && !o->verify_url)
		return complain("--verify-fail-open needs --verify-url: who is asked");
	if (o->proxy_protocol && !o->proxies.n)
		return complain("--proxy-protocol needs --trusted-proxy: from whom");
	return 0;
}

/* Texts that were checked, one by one and together. */
static int take_values(struct relay_options *o)
{
	flags_store(flags, o);
	if (o->trusted_proxy && forwarded_trust_add(&o->proxies, o->trusted_proxy) < 0)
		return complain("--trusted-proxy: too many of them");
	o->trusted_proxy = NULL;
	if (o->memory && budget_parse(o->memory, &o->memory_max) < 0)
		return -ERR_BAD_VALUE;
	return check_together(o);
}

static int parse(struct relay_options *o, struct arena *mem, int argc, char *const argv[])
{
	char text[2 * SHOWN_MAX + 200];
	const char *word;
	struct flags_error e;
	size_t n;
	int rc = flags_parse_mixed(&(struct flags){ .table = flags, .mem = mem }, argc - 1,
		argv + 1, &word, 1, &n, &e);

	if (rc == FLAGS_HELP) {
		print_help();
		return RELAY_OPTIONS_DONE;
	}
	if (rc == 0 && !n)
		return take_values(o);
	if (rc == 0 || e.fault == FLAGS_TOO_MANY_WORDS)
		snprintf(text, sizeof(text),
			"it takes options only, and \"%.*s\" is none; --help lists them", SHOWN_MAX,
			word);
	else
		flags_explain(&e, "warren-relay", text, sizeof(text));
	return complain(text);
}

int relay_options_parse(struct relay_options *o, int argc, char *const argv[])
{
	struct arena mem;
	int rc;

	*o = (struct relay_options){ 0 };
	arena_init(&mem, LISTS_MAX);
	rc = parse(o, &mem, argc, argv);
	arena_fini(&mem);
	return rc;
}
