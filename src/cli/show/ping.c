#include "cli/common/common.h"
#include "term/duration.h"

#include <math.h>
#include <unistd.h>

enum { PAUSE_MS = 1000 };

struct pinger {
	struct cli *c;
	const struct flag *flags;
	const char *path, *name;
	struct ipaddr ip;
	enum ipn_ping_type type;
	int sent;
	bool any, relayed; /* a pong came at all; the last one came over a relay */
};

/* 0: a result; LCLIENT_TIMEOUT; negative after an error was printed. */
static int ask(struct pinger *p, struct ipn_ping_result *ret, struct arena *a)
{
	const struct lclient_request q = { .method = "POST",
		.path = p->path,
		.timeout_ms =
			(int)MIN_OF(MAX_OF(flag_n(p->flags, "timeout") / MSEC(1), 1), INT32_MAX) };
	struct lclient_err err;
	struct buf body;
	char *kept;
	int rc;

	buf_init(&body, 1 << 20);
	rc = lclient_call(&p->c->api, &q, &body, &err);
	cli_note_version(p->c);
	kept = rc == 0 ? arena_strndup(a, buf_data(&body), buf_len(&body)) : NULL;
	if (rc == 0)
		rc = kept ? json_decode_first(
				    &ipn_ping_result_type, kept, buf_len(&body), ret, a, NULL)
			  : -ERR_TOO_BIG;
	if (rc == 0)
		json_make_plain(&ipn_ping_result_type, ret);
	buf_fini(&body);
	if (rc < 0)
		cli_fail_api(p->c, "", rc, &err);
	return rc;
}

static const char *latency(const struct ipn_ping_result *r, char *out)
{
	return duration_format(MSEC((int64_t)llround(r->latency_seconds * 1000)), out);
}

static const char *via(struct pinger *p, const struct ipn_ping_result *r)
{
	struct arena *a = &p->c->arena;

	if (p->type == IPN_PING_TSMP || p->type == IPN_PING_ICMP)
		return ipn_ping_type_name(p->type);
	if (r->peer_relay && *r->peer_relay)
		return arena_printf(a, "peer-relay(%s)", r->peer_relay);
	if (r->endpoint && *r->endpoint)
		return r->endpoint;
	return arena_printf(a, "DERP(%s)", cli_text_or(r->derp_region_code, ""));
}

static int local_ip(struct cli *c, struct ipaddr ip)
{
	printf("%s is local Warren IP\n", cli_ip_text(c, ip));
	return 0;
}

enum { GO_ON = -1 };

/* The exit code, or GO_ON. */
static int on_result(struct pinger *p, const struct ipn_ping_result *r)
{
	char took[32], port[32] = "";

	if (r->err && *r->err) {
		if (r->is_local_ip)
			return local_ip(p->c, p->ip);
		return cli_fail(p->c, "%s", r->err);
	}
	p->any = true;
	if (p->type == IPN_PING_PEERAPI) {
		printf("hit peerapi of %s (%s) at %s in %s\n", cli_text_or(r->node_ip, ""),
			cli_text_or(r->node_name, ""), cli_text_or(r->peerapi_url, ""),
			latency(r, took));
		return 0;
	}
	if (r->peerapi_port)
		snprintf(port, sizeof(port), ", %lld", (long long)r->peerapi_port);
	printf("pong from %s (%s%s) via %s in %s\n", cli_text_or(r->node_name, ""),
		cli_text_or(r->node_ip, ""), port, via(p, r), latency(r, took));
	fflush(stdout);
	if (p->type != IPN_PING_DISCO)
		return 0;
	p->relayed = !(r->endpoint && *r->endpoint);
	return !p->relayed && flag_on(p->flags, "until-direct") ? 0 : GO_ON;
}

static int one(struct pinger *p)
{
	struct ipn_ping_result r;
	struct arena a;
	int rc;

	arena_init(&a, 1 << 20);
	rc = ask(p, &r, &a);
	if (rc == LCLIENT_TIMEOUT) {
		printf("ping \"%s\" timed out\n", cli_ip_text(p->c, p->ip));
		fflush(stdout);
		rc = GO_ON;
	} else if (rc < 0) {
		rc = 1;
	} else {
		rc = on_result(p, &r);
	}
	arena_fini(&a);
	return rc;
}

static int ping_on(struct pinger *p)
{
	int64_t count = flag_n(p->flags, "c");

	for (;;) {
		long long begin = cli_now_ms();
		int rc = one(p);

		if (rc != GO_ON)
			return rc;
		p->sent++;
		if (count && p->sent >= count)
			break;
		usleep((useconds_t)MAX_OF(PAUSE_MS - (cli_now_ms() - begin), 0) * 1000);
	}
	if (!p->any)
		return cli_fail(p->c, "no reply");
	if (p->relayed && flag_on(p->flags, "until-direct"))
		return cli_fail(p->c, "direct connection not established");
	return 0;
}

static enum ipn_ping_type type_of(const struct flag *flags)
{
	return flag_on(flags, "tsmp")      ? IPN_PING_TSMP
	       : flag_on(flags, "icmp")    ? IPN_PING_ICMP
	       : flag_on(flags, "peerapi") ? IPN_PING_PEERAPI
					   : IPN_PING_DISCO;
}

static int run(struct cli *c, struct flag *flags, int argc, char **argv)
{
	struct pinger p = { .c = c, .flags = flags, .type = type_of(flags) };
	struct ipn_status s;
	bool self;

	if (!cli_get_status(c, true, &s))
		return 1;
	if (!cli_is_running(c, &s))
		return 1;
	if (argc != 1 || !*argv[0])
		return cli_fail(c, "usage: warren ping <hostname-or-IP>");
	p.name = argv[0];
	if (!cli_find_ip(c, argv[0], &p.ip, &self))
		return 1;
	if (self)
		return local_ip(c, p.ip);
	if (flag_on(flags, "verbose") && strcmp(cli_ip_text(c, p.ip), argv[0]) != 0)
		fprintf(stderr, "lookup \"%s\" => \"%s\"\n", argv[0], cli_ip_text(c, p.ip));
	p.path = arena_printf(&c->arena, "ping?ip=%s&size=%lld&type=%s", cli_ip_text(c, p.ip),
		(long long)flag_n(flags, "size"), ipn_ping_type_name(p.type));
	return ping_on(&p);
}

static struct flag flags[] = {
	{ .name = "c", .kind = FLAG_INT, .def = "10", .help = "how many pings; 0 is without end" },
	{ .name = "icmp",
		.kind = FLAG_BOOL,
		.help = "an ICMP echo through the tunnel, which the other's system answers" },
	{ .name = "peerapi",
		.kind = FLAG_BOOL,
		.help = "ask the other's HTTP server for peers (not built yet in warrend)" },
	{ .name = "size",
		.kind = FLAG_INT,
		.def = "0",
		.help = "bytes of the ping, padded; 0 for the smallest" },
	{ .name = "timeout",
		.kind = FLAG_DURATION,
		.def = "5s",
		.help = "how long to wait for each answer" },
	{ .name = "tsmp",
		.kind = FLAG_BOOL,
		.help = "through the tunnel, but answered before the other's system" },
	{ .name = "until-direct",
		.kind = FLAG_BOOL,
		.def = "true",
		.help = "end when there is a direct path" },
	{ .name = "verbose", .kind = FLAG_BOOL, .help = "tell more" },
	{ .name = NULL },
};

const struct cli_cmd cli_ping = {
	.name = "ping",
	.run = run,
	.usage = "ping <hostname-or-IP>",
	.help = "See whether and over which path another device answers",
	.more = "Each answer shows its path: DERP(code) over a relay, or the address of a direct one. By default it\n"
		"ends with the first direct answer; the exit code is 1 when there was none.",
	.flags = flags,
};
