#include "base/text/text.h"
#include "hub/admin/admin.h"
#include "hub/auth/auth.h"
#include "hub/auth/tokens.h"
#include "hub/console/console.h"
#include "hub/control/control.h"
#include "hub/internal.h"
#include "hub/policy_source/git.h"
#include "hub/web/packages.h"
#include "os/file/file.h"
#include "os/log/log.h"
#include "os/priv/priv.h"
#include "os/stream/tls.h"
#include "store/sqlite/sqlite.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * A key beside no database: this was a hub before, and a new database would lose all that it knew. The key is made after the
 * database, so that a first start that was interrupted does not look like that.
 */
static int open_database(struct hub *h, struct err_at *at)
{
	char key[4096], path[4096];
	struct err_at why = { 0 };
	bool was_hub;
	int rc;

	snprintf(key, sizeof(key), "%s/noise.key", h->o->state_dir);
	snprintf(path, sizeof(path), "%s/hub.db", h->o->state_dir);
	was_hub = access(key, F_OK) == 0;
	rc = store_sqlite_open(&h->store, path, was_hub, &why);
	if (rc == -ENOENT && was_hub)
		err_at_set(at, 0, 0,
			"%.100s %s, but noise.key is beside it: this was a hub. With a new database all its users, devices and "
			"keys would be lost. Restore hub.db from a backup; or, to begin anew without them, remove noise.key",
			path, why.text);
	else if (rc < 0)
		err_at_set(at, 0, 0, "%.100s: %s%s", path, why.text[0] ? why.text : err_text(rc),
			rc == -ERR_STORE ? "; if it is damaged, restore it from a backup" : "");
	return rc;
}

static int open_key(struct hub *h, struct err_at *at)
{
	char path[4096];
	bool there;
	int rc;

	snprintf(path, sizeof(path), "%s/noise.key", h->o->state_dir);
	there = access(path, F_OK) == 0;
	rc = file_private_key(path, h->noise.b);
	if (rc == 0)
		rc = key_public(h->noise.b, h->noise_pub.b);
	if (rc < 0)
		return file_explain(path, rc, at);
	if (!there && !store_sqlite_was_made(h->store))
		log_warn("hub",
			"noise.key was missing beside the database of a hub: a new one was made. Devices that come by https ask for it and "
			"come back, those that come by plain HTTP need a login; if there is a backup, stop the hub and restore it",
			"path=%s", path);
	return rc;
}

static int open_state(struct hub *h, struct err_at *at)
{
	char path[4096];
	long owner;
	int rc = file_make_dir(h->o->state_dir, 0700);

	if (rc < 0) {
		err_at_set(at, 0, 0,
			"cannot make the state directory %s: %s; --state-dir names another one",
			h->o->state_dir, err_text(rc));
		return rc;
	}
	snprintf(path, sizeof(path), "%s/hub.lock", h->o->state_dir);
	rc = file_lock(path, &h->lock, &owner);
	if (rc == -EWOULDBLOCK)
		err_at_set(at, 0, 0,
			"another hub uses %s (process %ld); end it first, or name another --state-dir",
			h->o->state_dir, owner);
	else if (rc < 0)
		err_at_set(at, 0, 0, "%s: %s", path, err_text(rc));
	if (rc < 0)
		return rc;
	rc = open_database(h, at);
	return rc < 0 ? rc : open_key(h, at);
}

static int open_relay(struct hub *h, struct err_at *at)
{
	struct relay_cfg cfg = {
		.loop = h->loop, .max_conns = HUB_RELAY_CLIENTS_MAX, .admission = admit_relay(h)
	};
	char path[4096];
	uint64_t rate;
	int rc = text_u64(h->o->relay_rate, strlen(h->o->relay_rate), RELAY_RATE_MAX, &rate);

	if (rc < 0) {
		err_at_set(at, 0, 0, "--relay-rate %s: a number of bytes, at most %d",
			h->o->relay_rate, RELAY_RATE_MAX);
		return rc;
	}
	cfg.client_rate = (int64_t)rate;
	snprintf(path, sizeof(path), "%s/relay.key", h->o->state_dir);
	rc = file_private_key(path, cfg.private.b);
	if (rc == 0)
		rc = relay_new(&h->relay, &cfg);
	key_wipe(&cfg.private, sizeof(cfg.private));
	return rc < 0 ? file_explain(path, rc, at) : 0;
}

/* The address that this machine has towards the world: no packet is sent. */
static struct ipaddr own_address(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(9),
		.sin_addr.s_addr = htonl(0xc0000201) },
			   from;
	socklen_t len = sizeof(from);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ipaddr a = ipaddr_v4(127, 0, 0, 1);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 &&
		getsockname(fd, (struct sockaddr *)&from, &len) == 0)
		a = ipaddr_from4((const uint8_t *)&from.sin_addr);
	if (fd >= 0)
		close(fd);
	return a;
}

static int take_url(struct hub *h, struct err_at *at)
{
	const char *text = h->o->url;
	char addr[IPPORT_TEXT_MAX];
	struct ipport l;
	size_t n;

	if (!text) {
		if (hub_listen_parse(h->o->listen, &l) < 0)
			l = (struct ipport){ .port = 8080 };
		if (!l.ip.family || ipaddr_is_unspecified(l.ip))
			l.ip = own_address();
		text = arena_printf(
			&h->mem, "http%s://%s", h->o->tls_cert ? "s" : "", ipport_format(l, addr));
		if (!text)
			return -ENOMEM;
	}
	if (hub_url_parse(text, &h->url) < 0) {
		err_at_set(
			at, 0, 0, "--url %s: write it as http://HOST:PORT or https://HOST", text);
		return -ERR_BAD_VALUE;
	}
	n = strlen(text);
	h->url_text = arena_strndup(&h->mem, text, n && text[n - 1] == '/' ? n - 1 : n);
	return h->url_text ? 0 : -ENOMEM;
}

static void on_hup(void *ctx)
{
	struct hub *h = ctx;

	log_info("hub",
		"SIGHUP: reading files with certificate and secrets anew; options take a restart",
		NULL);
	if (h->certs)
		certs_reload(h->certs);
	git_reload(h);
}

/* With the rights that stay: renewed files are read with them. */
static int keep_certificate(struct hub *h)
{
	struct certs_cfg cfg = { .loop = h->loop,
		.tls = h->tls,
		.cert_file = h->o->tls_cert,
		.key_file = h->o->tls_key,
		.name = h->url.https || h->reach.relay != REACH_NO_RELAY ? h->url.host : NULL };

	return h->tls ? certs_new(&h->certs, &cfg) : 0;
}

/* From here on nothing needs the rights of root. */
static int give_up_rights(const struct hub_options *o, struct err_at *at)
{
	int rc = o->user ? priv_give_dir(o->state_dir, o->user) : 0;

	if (rc == 0)
		rc = priv_drop_all(o->user);
	if (rc < 0)
		err_at_set(at, 0, 0, "cannot become the user \"%s\": %s", o->user ? o->user : "",
			rc == -ENOENT ? "there is no such user" : err_text(rc));
	return rc;
}

static int plan_budget(struct hub *h, struct err_at *at)
{
	uint64_t memory = 0;
	int rc = h->o->memory_max ? budget_parse(h->o->memory_max, &memory) : 0;

	if (rc == 0 && memory && memory < HUB_MEMORY_MIN)
		rc = -ERR_BAD_VALUE;
	if (rc < 0) {
		err_at_set(at, 0, 0, "--memory-max %s: write it as 512M or 2G, at least 256M",
			h->o->memory_max);
		return rc;
	}
	h->verifiers =
		(struct ratelimit){ .burst = HUB_VERIFY_BURST, .per_second = HUB_VERIFY_RATE };
	rng_fill(loop_rng(), h->verifiers.seed, sizeof(h->verifiers.seed));
	budget_plan(memory, &h->budget);
	if (h->budget.memory < HUB_MEMORY_MIN)
		log_warn("hub",
			"there is less memory than the sum of all bounds: \"warren-hub status --limits\" lists them",
			"bytes=%llu from=\"%s\"", (unsigned long long)h->budget.memory,
			h->budget.memory_from);
	return 0;
}

/* What needs no file and no right. */
static int make_loop(struct hub *h, struct err_at *at)
{
	int rc = priv_harden();

	if (rc == 0)
		rc = loop_new(&h->loop);
	if (rc == 0)
		rc = loop_stop_on_signals(h->loop);
	if (rc == 0)
		rc = loop_on_hup(h->loop, on_hup, h);
	if (rc == 0)
		rc = plan_budget(h, at);
	if (rc == 0)
		rc = ledger_new(&h->ledger, &h->budget.ledger);
	if (rc == 0)
		rc = trim_new(h->loop, h->ledger, &h->trim);
	if (rc == 0)
		h->started = loop_now(h->loop).mono;
	return rc;
}

int hub_new(struct hub **ret, const struct hub_options *o, struct err_at *at)
{
	struct hub *h = calloc(1, sizeof(*h));
	int rc;

	if (!h)
		return -ENOMEM;
	h->o = o;
	h->lock = -1;
	arena_init(&h->mem, 1 << 20);
	list_init(&h->sessions);
	h->reading = (struct stream_turn){
		.bytes = HUB_TURN_BYTES, .min = HUB_TURN_MIN, .max = HUB_TURN_MAX
	};
	list_init(&h->idle);
	list_init(&h->idle_strangers);
	list_init(&h->checked);
	rc = make_loop(h, at);
	if (rc == 0)
		rc = take_url(h, at);
	if (rc == 0)
		rc = former_read(h, at);
	if (rc == 0)
		rc = open_state(h, at);
	if (rc == 0)
		rc = open_relay(h, at);
	if (rc == 0 && o->packages_dir)
		rc = packages_read(&h->packages, o->packages_dir, at);
	if (rc == 0)
		rc = hub_listen(h, at);
	if (rc == 0)
		rc = git_new(h, at);
	if (rc == 0)
		rc = give_up_rights(o, at);
	if (rc == 0)
		rc = keep_certificate(h);
	if (rc == 0)
		rc = hub_open_engine(h, at);
	if (rc == 0)
		rc = loop_on_turn_end(h->loop, hub_turn_end, h);
	if (rc == 0)
		rc = tokens_load(h, at);
	if (rc == 0)
		rc = store_sqlite_start(h->store, h->loop);
	if (rc < 0) {
		if (!at->text[0])
			err_at_set(at, 0, 0, "cannot start: %s", err_text(rc));
		hub_free(h);
		return rc;
	}
	*ret = h;
	return 0;
}

int hub_run(struct hub *h)
{
	int rc;

	loop_run(h->loop);
	rc = store_sqlite_stop(h->store);
	if (rc < 0 && !h->failed)
		log_error("hub", "the last changes could not be written; none of them was answered",
			"dir=%s", h->o->state_dir);
	return rc < 0 ? rc : h->failed;
}

struct hub *hub_free(struct hub *h)
{
	if (!h)
		return NULL;
	h->admin = httpd_free(h->admin);
	h->web = httpd_free(h->web);
	h->console = console_free(h->console);
	h->news = admin_news_free(h->news);
	control_close_all(h);
	h->relay = relay_free(h->relay);
	git_free(h);
	tokens_free(h);
	audit_free(h->audit);
	h->audit_timer = loop_timer_free(h->audit_timer);
	certs_free(h->certs);
	h->packages = packages_free(h->packages);
	shown_free(h);
	if (h->timer)
		loop_timer_free(h->timer);
	if (h->idle_timer)
		loop_timer_free(h->idle_timer);
	if (h->ask_timer)
		loop_timer_free(h->ask_timer);
	if (h->check_timer)
		loop_timer_free(h->check_timer);
	heap_fini(&h->asked);
	if (h->store)
		(void)store_sqlite_stop(h->store);
	trim_free(h->trim);
	if (h->loop)
		loop_free(h->loop);
	coord_free(h->tailnet);
	ledger_free(h->ledger);
	store_sqlite_close(h->store);
	if (h->lock >= 0)
		close(h->lock);
	tls_free(h->tls);
	tls_free(h->relay_tls);
	key_wipe(&h->noise, sizeof(h->noise));
	arena_fini(&h->mem);
	free(h);
	return NULL;
}

void hub_print_ready(const struct hub *h)
{
	char addr[IPPORT_TEXT_MAX], told[REACH_TEXT_MAX];

	printf("warren-hub: %s on %s\n", h->url_text, ipport_format(h->web_addr, addr));
	if (h->relay_addr.port)
		printf("warren-hub: relay on %s, devices are told %s%s%s\n",
			ipport_format(h->relay_addr, addr),
			reach_format(&h->reach.relay_at, h->relay_addr.port, told),
			h->pin[0] ? " with certificate " : "", h->pin);
	if (h->reach.stun_at.host[0])
		printf("warren-hub: STUN on %s, devices are told %s\n",
			h->stun_addr.port ? ipport_format(h->stun_addr, addr) : "no port of ours",
			reach_format(&h->reach.stun_at, h->stun_addr.port, told));
	printf("warren-hub: ready\n");
	fflush(stdout);
}
