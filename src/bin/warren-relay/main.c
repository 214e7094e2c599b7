/* warren-relay: a DERP and STUN server on its own. */
#include "base/text/near.h"
#include "base/text/text.h"
#include "os/certs/certs.h"
#include "os/addr/addr.h"
#include "os/budget/budget.h"
#include "os/budget/trim.h"
#include "os/file/file.h"
#include "os/log/log.h"
#include "os/notify/notify.h"
#include "os/priv/priv.h"
#include "os/stream/tls.h"
#include "term/term.h"
#include "relay/front.h"
#include "relay/verify.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char help[] =
	"Usage: warren-relay [options]\n"
	"Relays encrypted packets between devices that cannot reach each other (DERP), and tells them their address (STUN).\n\n"
	"  --listen ADDR      address and port of HTTPS; default [::]:443\n"
	"  --stun ADDR        address and port of STUN (UDP); default [::]:3478; \"off\" for none\n"
	"  --state-dir DIR    where the key is kept; default /var/lib/warren-relay\n"
	"  --cert FILE        certificate chain in PEM; with --key\n"
	"  --key FILE         its private key\n"
	"  --hostname NAME    by which clients reach it: the name in a certificate that is made when none is given, whose pin is\n"
	"                     printed; with --cert it is checked to be for that name\n"
	"  --plain            HTTP without TLS: for labs, and behind a proxy that ends TLS\n"
	"  --http ADDR        one more listener without TLS, for captive portal checks; for example [::]:80\n"
	"  --trusted-proxy CIDR,...  whose X-Forwarded-For says where a request comes from; default nobody's\n"
	"  --proxy-protocol   connections from a --trusted-proxy begin with the PROXY protocol's header\n"
	"  --rate BYTES       that a client may send a second; default 0: as much as it can\n"
	"  --memory-max BYTES that the relay may use, as 512M or 2G: its bounds follow from it; default what its cgroup allows, else\n"
	"                     three quarters of the machine's\n"
	"  --limits           print these bounds, and end\n"
	"  --verify-url URL   where it asks whether a device may log in, for example https://HUB/verify; default: every device may\n"
	"  --verify-fail-open nobody answers there: let devices in, instead of turning them away\n"
	"  --user NAME        become this user once the ports are bound\n"
	"  --help             this text\n";

struct options {
	const char *listen, *stun, *state_dir, *cert, *key, *hostname, *http, *user, *rate,
		*verify_url;
	struct forwarded_trust proxies;
	uint64_t memory_max;
	bool limits, plain, proxy_protocol, name_given, verify_fail_open;
};

static int complain(const char *what, int rc)
{
	fprintf(stderr, "warren-relay: %s: %s\n", what, err_text(rc));
	return 1;
}

static int complain_at(const struct err_at *at, const char *what, int rc)
{
	if (!at->text[0])
		return complain(what, rc);
	fprintf(stderr, "warren-relay: %s\n", at->text);
	return 1;
}

static int usage(const char *what)
{
	fprintf(stderr, "warren-relay: %s\n", what);
	return 2;
}

/* What getopt could not read: argv[at]. */
static int unknown(const struct option *longs, const char *given)
{
	const char *name = given + strspn(given, "-"), *meant = NULL;
	size_t len = strcspn(name, "=");
	int best = NEAR_FAR;

	for (; longs->name; longs++) {
		int k = near_distance(name, len, longs->name);

		if (k == 0 && longs->has_arg)
			return usage("a value is missing behind the last option");
		if (k >= best)
			continue;
		best = k;
		meant = longs->name;
	}
	fprintf(stderr,
		meant ? "warren-relay: unknown option %s; did you mean --%s?\n"
		      : "warren-relay: unknown option %s; --help lists all\n",
		given, meant);
	return 2;
}

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = { { "listen", 1, NULL, 'l' }, { "stun", 1, NULL, 's' },
		{ "state-dir", 1, NULL, 'd' }, { "cert", 1, NULL, 'c' }, { "key", 1, NULL, 'k' },
		{ "hostname", 1, NULL, 'n' }, { "plain", 0, NULL, 'p' }, { "http", 1, NULL, 'h' },
		{ "trusted-proxy", 1, NULL, 't' }, { "proxy-protocol", 0, NULL, 'P' },
		{ "verify-url", 1, NULL, 'v' }, { "verify-fail-open", 0, NULL, 'f' },
		{ "user", 1, NULL, 'u' }, { "rate", 1, NULL, 'r' }, { "memory-max", 1, NULL, 'm' },
		{ "limits", 0, NULL, 'L' }, { "help", 0, NULL, 'H' }, { 0 } };
	int opt;

	opterr = 0; /* it is said here */
	while ((opt = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		const char **text = opt == 'l'   ? &o->listen
				    : opt == 's' ? &o->stun
				    : opt == 'd' ? &o->state_dir
				    : opt == 'c' ? &o->cert
				    : opt == 'k' ? &o->key
				    : opt == 'n' ? &o->hostname
				    : opt == 'h' ? &o->http
				    : opt == 'u' ? &o->user
				    : opt == 'r' ? &o->rate
				    : opt == 'v' ? &o->verify_url
						 : NULL;

		if (text) {
			*text = optarg;
			o->name_given |= opt == 'n';
		} else if (opt == 't') {
			if (forwarded_trust_add(&o->proxies, optarg) < 0)
				return usage(
					"--trusted-proxy: addresses and prefixes, as 127.0.0.1,10.0.0.0/8");
		} else if (opt == 'm') {
			if (budget_parse(optarg, &o->memory_max) < 0)
				return usage("--memory-max: write it as 512M or 2G, at least 64M");
		} else if (opt == 'L') {
			o->limits = true;
		} else if (opt == 'P') {
			o->proxy_protocol = true;
		} else if (opt == 'f') {
			o->verify_fail_open = true;
		} else if (opt == 'p') {
			o->plain = true;
		} else if (opt == 'H') {
			fputs(help, stdout);
			exit(0);
		} else {
			return unknown(longs, argv[optind - 1]);
		}
	}
	if (optind < argc) {
		fprintf(stderr,
			"warren-relay: it takes options only, and \"%s\" is none; --help lists them\n",
			argv[optind]);
		return 2;
	}
	if (!o->cert != !o->key || (o->plain && o->cert))
		return usage("--cert and --key belong together, not with --plain");
	if (o->verify_fail_open && !o->verify_url)
		return usage("--verify-fail-open needs --verify-url: who is asked");
	if (o->proxy_protocol && !o->proxies.n)
		return usage("--proxy-protocol needs --trusted-proxy: from whom");
	return 0;
}

static int open_tls(const struct options *o, const struct relay *relay, struct tls_ctx **ret)
{
	char path[4096], hex[65];
	struct err_at at = { 0 };
	uint8_t hash[32];
	int rc;

	if (o->plain)
		return 0;
	if (o->cert) {
		rc = tls_server_new(ret, o->cert, o->key, &at);
		if (rc == 0)
			rc = relay_add_key(relay, *ret);
		return rc < 0 ? complain_at(&at, o->cert, rc) : 0;
	}
	snprintf(path, sizeof(path), "%s/relay.pem", o->state_dir);
	rc = tls_server_self_made(ret, path, o->hostname, &at);
	if (rc == 0)
		rc = tls_cert_hash(*ret, hash);
	if (rc == 0)
		rc = relay_add_key(relay, *ret);
	if (rc < 0)
		return complain_at(&at, path, rc);
	hex_encode(hash, sizeof(hash), hex);
	printf("CertName: sha256-raw:%s\n", hex);
	return 0;
}

static int listen_on(struct httpd *f, const char *text, struct tls_ctx *tls)
{
	struct ipport addr, bound;
	int rc = addr_listen_parse(text, &addr);

	if (rc == 0)
		rc = httpd_listen(f, addr, tls, &bound);
	return rc < 0 ? complain(text, rc) : 0;
}

/* From here on nothing needs the rights of root. */
static int give_up_rights(const struct options *o)
{
	int rc = o->user ? priv_give_dir(o->state_dir, o->user) : 0;

	if (rc == 0)
		rc = priv_drop_all(o->user);
	return rc < 0 ? complain(o->user ? o->user : "capabilities", rc) : 0;
}

static int open_verify(const struct options *o, struct loop *loop, struct verify **ret,
	struct relay_admission *admission)
{
	const struct verify_cfg cfg = {
		.loop = loop, .url = o->verify_url, .fail_open = o->verify_fail_open
	};
	int rc = o->verify_url ? verify_new(ret, &cfg) : 0;

	if (rc < 0)
		return complain(o->verify_url, rc);
	if (o->verify_url)
		*admission = verify_admission(*ret);
	return 0;
}

static int open_all(const struct options *o, struct loop *loop, struct ledger *ledger,
	struct verify **verify, struct relay **relay, struct httpd **front, struct tls_ctx **tls)
{
	struct relay_cfg cfg = { .loop = loop, .max_conns = FRONT_CLIENTS_MAX };
	struct ipport stun;
	char path[4096];
	uint64_t rate;
	int rc = text_u64(o->rate, strlen(o->rate), RELAY_RATE_MAX, &rate);

	if (rc < 0)
		return complain("--rate", rc);
	cfg.client_rate = (int64_t)rate;
	if (open_verify(o, loop, verify, &cfg.admission) != 0)
		return 1;
	rc = file_make_dir(o->state_dir, 0700);
	snprintf(path, sizeof(path), "%s/relay.key", o->state_dir);
	if (rc == 0)
		rc = file_private_key(path, cfg.private.b);
	if (rc == 0)
		rc = relay_new(relay, &cfg);
	key_wipe(&cfg.private, sizeof(cfg.private));
	if (rc == 0)
		rc = front_new(front, loop, ledger, *relay, o->proxies.n ? &o->proxies : NULL,
			o->proxy_protocol);
	if (rc < 0)
		return complain(path, rc);
	rc = open_tls(o, *relay, tls);
	if (rc == 0)
		rc = listen_on(*front, o->listen, *tls);
	if (rc == 0 && o->http)
		rc = listen_on(*front, o->http, NULL);
	if (rc != 0)
		return rc;
	if (strcmp(o->stun, "off") != 0) {
		rc = addr_listen_parse(o->stun, &stun);
		if (rc == 0)
			rc = relay_stun_listen(*relay, stun, &stun);
		if (rc < 0)
			return complain(o->stun, rc);
	}
	return give_up_rights(o);
}

static void on_hup(void *ctx)
{
	struct certs *certs = *(struct certs **)ctx; /* none yet while it starts */

	if (certs)
		certs_reload(certs);
	else
		log_info("relay",
			"SIGHUP: there is no certificate to read anew; options take a restart",
			NULL);
}

/* With the rights that stay: renewed files are read with them. */
static int keep_certificate(
	const struct options *o, struct loop *loop, struct tls_ctx *tls, struct certs **ret)
{
	struct certs_cfg cfg = { .loop = loop,
		.tls = tls,
		.cert_file = o->cert,
		.key_file = o->key,
		.name = o->name_given ? o->hostname : NULL };
	int rc = o->cert ? certs_new(ret, &cfg) : 0;

	return rc < 0 ? complain("watching the certificate", rc) : 0;
}

int main(int argc, char **argv)
{
	struct options o = { .listen = "[::]:443",
		.stun = "[::]:3478",
		.state_dir = "/var/lib/warren-relay",
		.hostname = "localhost",
		.rate = "0" };
	struct verify *verify = NULL;
	struct relay *relay = NULL;
	struct httpd *front = NULL;
	struct tls_ctx *tls = NULL;
	struct certs *certs = NULL;
	struct budget budget;
	struct ledger *ledger;
	struct trim *trim = NULL;
	struct loop *loop;
	int rc;

	term_guard();
	rc = parse(argc, argv, &o);

	if (rc != 0)
		return rc;
	notify_init();
	budget_plan(o.memory_max, &budget);
	if (o.limits) {
		budget_print(&budget);
		return 0;
	}
	if (priv_harden() < 0 || loop_new(&loop) < 0 || ledger_new(&ledger, &budget.ledger) < 0)
		return complain("event loop", -ERR_BAD_STATE);
	rc = loop_stop_on_signals(loop) < 0 || loop_on_hup(loop, on_hup, &certs) < 0;
	if (rc == 0)
		rc = trim_new(loop, ledger, &trim);
	if (rc == 0)
		rc = open_all(&o, loop, ledger, &verify, &relay, &front, &tls);
	if (rc == 0)
		rc = keep_certificate(&o, loop, tls, &certs);
	if (rc == 0) {
		printf("warren-relay: ready\n");
		fflush(stdout);
		notify_ready();
		loop_run(loop);
		notify_stopping();
	}
	httpd_free(front);
	relay_free(relay);
	verify_free(verify);
	certs_free(certs);
	trim_free(trim);
	loop_free(loop);
	ledger_free(ledger);
	tls_free(tls);
	return rc;
}
