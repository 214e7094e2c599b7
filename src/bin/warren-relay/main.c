/* warren-relay: a DERP and STUN server on its own. */
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
#include "bin/warren-relay/options.h"
#include "relay/front.h"
#include "relay/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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

static int open_tls(const struct relay_options *o, const struct relay *relay, struct tls_ctx **ret)
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
	rc = tls_server_self_made(ret, path, o->hostname ? o->hostname : "localhost", &at);
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
static int give_up_rights(const struct relay_options *o)
{
	int rc = o->user ? priv_give_dir(o->state_dir, o->user) : 0;

	if (rc == 0)
		rc = priv_drop_all(o->user);
	return rc < 0 ? complain(o->user ? o->user : "capabilities", rc) : 0;
}

static int open_verify(const struct relay_options *o, struct loop *loop, struct verify **ret,
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

static int open_all(const struct relay_options *o, struct loop *loop, struct ledger *ledger,
	struct verify **verify, struct relay **relay, struct httpd **front, struct tls_ctx **tls)
{
	struct relay_cfg cfg = { .loop = loop, .max_conns = FRONT_CLIENTS_MAX };
	struct ipport stun;
	char path[4096];
	int rc;

	cfg.client_rate = o->rate;
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
	const struct relay_options *o, struct loop *loop, struct tls_ctx *tls, struct certs **ret)
{
	struct certs_cfg cfg = { .loop = loop,
		.tls = tls,
		.cert_file = o->cert,
		.key_file = o->key,
		.name = o->hostname };
	int rc = o->cert ? certs_new(ret, &cfg) : 0;

	return rc < 0 ? complain("watching the certificate", rc) : 0;
}

int main(int argc, char **argv)
{
	struct relay_options o;
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
	rc = relay_options_parse(&o, argc, argv);
	if (rc != 0)
		return rc == RELAY_OPTIONS_DONE ? 0 : 2;
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
