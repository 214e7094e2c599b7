/* The engine against a hub made of core/ts2021's server side, in one process. */
#include "core/ctlclient/ctlclient.h"
#include "core/reason/reason.h"
#include "core/ctlclient/mapstream.h"
#include "testlib/check.h"

struct rig {
	struct ctlclient *c;
	struct rng_seeded rng, hub_rng;
	struct secret_machine hub_secret;
	struct machine_pub hub_pub;
	struct ts2021 *hub;
	struct now now;
	bool dialled[CTL_CONNS];
	unsigned dials, keys_made, registers, maps, lites, got_maps;
	const char *register_answer[4]; /* in turn; the last again */
	struct ts_stream *held;         /* the follow-up, unanswered */
	struct ts_stream *poll;
	const char *tells; /* as its URL */
	bool poll_sent;
	const char *says[4]; /* on a stream, instead of the map that all others get */
	unsigned first_maps;
	int map_status, register_status, lite_status;
	int retry_after; /* with a status that is not 200; negative: none */
	char last_register[4096], text[200], trouble[REASON_MAX];
	unsigned logouts;
	const char *refuses; /* text in a request that the hub does not like; NULL */
	struct tc_hostinfo host;
	char refused[CTLCLIENT_REASON_MAX], last_lite[4096];
	unsigned n_refused, n_logins_refused;
	enum ctlclient_state state;
};

static size_t map_message(uint8_t *out, size_t max)
{
	size_t a = ZSTD_compress(out + 4, max - 4,
		"{\"Node\":{\"ID\":1,\"StableID\":\"n1\",\"Name\":\"a.\"},", 45, 1);
	size_t b = ZSTD_compress(out + 4 + a, max - 4 - a, "\"Domain\":\"example.com\"}", 23, 1);

	store_le32(out, (uint32_t)(a + b));
	return 4 + a + b;
}

static void refuse(struct rig *w, struct ts_stream *s, int status)
{
	if (w->retry_after < 0)
		CHECK_INT(ts_stream_respond(s, status, NULL, VIEW_LIT("no\n")), ==, 0);
	else
		CHECK_INT(ts_stream_respond_later(
				  s, status, (unsigned)w->retry_after, VIEW_LIT("too many\n")),
			==, 0);
}

static void hub_request(
	void *owner, struct ts_stream *s, const char *method, const char *path, struct view body)
{
	struct rig *w = owner;
	char text[4096];

	snprintf(text, sizeof(text), "%.*s", (int)body.len, (const char *)body.p);
	if (w->refuses && strstr(text, w->refuses)) {
		if (!strcmp(path, "/machine/register"))
			CHECK_INT(ts_stream_respond(
					  s, 200, NULL, VIEW_LIT("{\"Error\":\"not this one\"}")),
				==, 0);
		else
			CHECK_INT(
				ts_stream_respond(s, 400, NULL, VIEW_LIT("not this\tone\nmore\n")),
				==, 0);
		w->registers += !strcmp(path, "/machine/register");
	} else if (!strcmp(path, "/machine/register")) {
		const char *answer = w->register_answer[MIN_OF(w->registers, 3)];

		memcpy(w->last_register, text, sizeof(text));
		w->logouts += strstr(text, "\"Expiry\":\"1970-01-01T00:02:03Z\"") != NULL;
		w->registers++;
		if (!answer) {
			w->held = s;
			return;
		}
		if (w->register_status != 200)
			refuse(w, s, w->register_status);
		else
			CHECK_INT(ts_stream_respond(s, 200, NULL, view_of(answer, strlen(answer))),
				==, 0);
	} else if (strstr(text, "\"Stream\":true")) {
		w->maps++;
		if (!w->map_status)
			return;
		if (w->map_status != 200) {
			refuse(w, s, w->map_status);
			return;
		}
		w->poll = s;
		w->poll_sent = false;
		CHECK_INT(ts_stream_begin(s, 200, NULL), ==, 0);
	} else {
		w->lites++;
		memcpy(w->last_lite, text, sizeof(text));
		if (w->lite_status != 200)
			refuse(w, s, w->lite_status);
		else
			CHECK_INT(ts_stream_respond(s, 200, NULL, VIEW_LIT("")), ==, 0);
	}
	(void)method;
}

static void hub_end(void *owner, struct ts_stream *s, int rc)
{
	struct rig *w = owner;

	if (w->poll == s)
		w->poll = NULL;
	if (w->held == s)
		w->held = NULL;
	(void)rc;
}

static void hub_fill(void *owner, struct ts_stream *s, struct buf *out)
{
	struct rig *w = owner;
	uint8_t m[512];

	if (s != w->poll || w->poll_sent)
		return;
	w->poll_sent = true;
	for (size_t i = 0; i < ARRAY_LEN(w->says) && w->says[i]; i++) {
		size_t n = ZSTD_compress(m + 4, sizeof(m) - 4, w->says[i], strlen(w->says[i]), 1);

		store_le32(m, (uint32_t)n);
		CHECK_INT(buf_append(out, m, 4 + n), ==, 0);
	}
	if (w->says[0])
		return;
	CHECK_INT(buf_append(out, m, map_message(m, sizeof(m))), ==, 0);
}

static void hub_output(void *owner)
{
	(void)owner;
}

static const struct ts2021_ops hub_ops = { .on_request = hub_request,
	.on_end = hub_end,
	.fill = hub_fill,
	.on_output = hub_output,
	.on_ready = hub_output };

static void dial(void *owner, enum ctlclient_conn id, const char *host, uint16_t port,
	enum ctlclient_tls tls)
{
	struct rig *w = owner;

	CHECK_STR(host, "hub.example");
	CHECK_INT(port, ==, id == CTL_CONN_TLS ? 443 : 80);
	CHECK_INT(tls, ==, id == CTL_CONN_TLS ? CTL_TLS_ANY_CERT : CTL_TLS_NONE);
	w->dialled[id] = true;
	w->dials++;
}

static void hangup(void *owner, enum ctlclient_conn id)
{
	struct rig *w = owner;

	w->dialled[id] = false;
	if (id != CTL_CONN_KEY && !w->dialled[CTL_CONN_PLAIN])
		w->hub = ts2021_free(w->hub);
}

static void describe(void *owner, struct tc_map_request *m)
{
	struct rig *w = owner;

	m->hostinfo = &w->host;
}

static void new_node_key(void *owner, struct node_pub *ret)
{
	struct rig *w = owner;

	memset(ret->b, (int)++w->keys_made, KEY_LEN);
}

static void on_hub_key(void *owner, const struct machine_pub *key)
{
	CHECK_INT(memcmp(key, &((struct rig *)owner)->hub_pub, sizeof(*key)), ==, 0);
}

static void on_registered(
	void *owner, const struct node_pub *key, const struct tc_register_response *r)
{
	CHECK_INT(key->b[0], ==,
		((struct rig *)owner)->keys_made ? ((struct rig *)owner)->keys_made : 9);
	(void)r;
}

static void on_map(void *owner, const struct tc_map_response *m)
{
	struct rig *w = owner;

	if (m->keep_alive)
		return;
	w->got_maps++;
	w->first_maps += ctlclient_map_is_first(w->c);
	if (w->says[0])
		return;
	CHECK_TRUE(m->node && m->node->id == 1);
	CHECK_STR(m->domain, "example.com");
}

static void on_state(void *owner, enum ctlclient_state s, const char *text)
{
	struct rig *w = owner;

	w->state = s;
	snprintf(w->text, sizeof(w->text), "%s", text ? text : "");
}

static void on_error(void *owner, const char *why)
{
	struct rig *w = owner;

	snprintf(w->trouble, sizeof(w->trouble), "%s", why);
}

static void on_refused(void *owner, const char *why)
{
	struct rig *w = owner;

	snprintf(w->refused, sizeof(w->refused), "%s", why ? why : "");
	w->n_refused++;
}

static void on_login_refused(void *owner, const char *why)
{
	struct rig *w = owner;

	snprintf(w->refused, sizeof(w->refused), "%s", why);
	w->n_logins_refused++;
}

static const struct ctlclient_ops ops = { .dial = dial,
	.hangup = hangup,
	.describe = describe,
	.new_node_key = new_node_key,
	.on_hub_key = on_hub_key,
	.on_registered = on_registered,
	.on_map = on_map,
	.on_state = on_state,
	.on_error = on_error,
	.on_refused = on_refused,
	.on_login_refused = on_login_refused };

static void answer_key(struct rig *w)
{
	char key[KEY_TEXT_MAX], text[512];
	size_t body = strlen(key_format(KEY_MACHINE, w->hub_pub.b, key)) + 16;

	CHECK_TRUE(ctlclient_output(w->c, CTL_CONN_KEY).len > 20);
	snprintf(text, sizeof(text),
		"HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n{\"publicKey\":\"%s\"}", body, key);
	ctlclient_feed(w->c, CTL_CONN_KEY, view_of(text, strlen(text)), w->now);
}

/* Moves bytes until both sides are silent. */
static void pump(struct rig *w)
{
	for (bool moved = true; moved;) {
		struct view v;

		moved = false;
		ctlclient_connected(w->c, CTL_CONN_KEY, w->now);
		if (w->dialled[CTL_CONN_KEY])
			answer_key(w);
		ctlclient_connected(w->c, CTL_CONN_PLAIN, w->now);
		v = ctlclient_output(w->c, CTL_CONN_PLAIN);
		if (v.len && !w->hub) {
			struct ts2021_server how = { .self = &w->hub_secret,
				.hub_url = w->tells,
				.rng = &w->hub_rng.rng,
				.now = w->now.mono };
			struct http1_head h;
			size_t used;

			CHECK_INT(http1_parse(v.p, v.len, false, &h, &used), ==, 0);
			CHECK_INT(ts2021_accept(&w->hub, &h, &how, &hub_ops, w), ==, 0);
			ctlclient_written(w->c, CTL_CONN_PLAIN, used);
			moved = true;
		} else if (v.len) {
			CHECK_INT(ts2021_feed(w->hub, v.p, v.len, w->now.mono), ==, 0);
			ctlclient_written(w->c, CTL_CONN_PLAIN, v.len);
			moved = true;
		}
		v = w->hub ? ts2021_output(w->hub) : view_of("", 0);
		if (v.len) {
			uint8_t copy[65536];
			size_t n = MIN_OF(v.len, sizeof(copy));

			memcpy(copy, v.p, n);
			ts2021_written(w->hub, n);
			ctlclient_feed(w->c, CTL_CONN_PLAIN, view_of(copy, n), w->now);
			moved = true;
		}
	}
}

static const char joined[] = "{\"MachineAuthorized\":true}";

static void rig_open(struct rig *w, bool known, const char *auth_key)
{
	struct ctlclient_config cfg = {
		.url = "http://hub.example", .auth_key = auth_key, .registered = known
	};

	*w = (struct rig){ .map_status = 200,
		.register_status = 200,
		.lite_status = 200,
		.retry_after = -1,
		.now = { .mono = SEC(1), .wall = 1 } };
	for (size_t i = 0; i < ARRAY_LEN(w->register_answer); i++)
		w->register_answer[i] = joined;
	rng_seeded_init(&w->rng, 1);
	rng_seeded_init(&w->hub_rng, 2);
	key_generate(&w->hub_rng.rng, w->hub_secret.b);
	CHECK_INT(key_public(w->hub_secret.b, w->hub_pub.b), ==, 0);
	key_generate(&w->rng.rng, cfg.machine.b);
	w->host = (struct tc_hostinfo){ .hostname = "box", .os = "linux" };
	if (known) {
		cfg.hub = w->hub_pub;
		memset(cfg.node.b, 9, KEY_LEN);
	}
	CHECK_INT(ctlclient_new(&w->c, &cfg, &w->rng.rng, &ops, w), ==, 0);
}

static void rig_close(struct rig *w)
{
	w->c = ctlclient_free(w->c);
	w->hub = ts2021_free(w->hub);
}

static void node_joins_with_an_auth_key_and_gets_its_map(void **state)
{
	struct rig w;

	rig_open(&w, false, "hskey-auth-1");
	ctlclient_start(w.c, w.now);
	pump(&w);
	CHECK_TRUE(strstr(w.last_register, "\"AuthKey\":\"hskey-auth-1\"") != NULL);
	CHECK_INT(w.registers, ==, 1);
	CHECK_INT(w.keys_made, ==, 1);
	CHECK_INT(w.got_maps, ==, 1);
	CHECK_INT(w.lites, ==, 1);
	CHECK_INT(w.state, ==, CTL_RUNNING);
	ctlclient_update(w.c, w.now);
	pump(&w);
	CHECK_INT(w.lites, ==, 2);
	CHECK_INT(w.maps, ==, 1);
	rig_close(&w);
	(void)state;
}

static void lost_connection_is_dialled_again_within_100_ms_without_registering(void **state)
{
	struct rig w;

	rig_open(&w, true, NULL);
	ctlclient_start(w.c, w.now);
	pump(&w);
	CHECK_INT(w.dials, ==, 1); /* the hub's key was handed in */
	CHECK_INT(w.got_maps, ==, 1);
	ctlclient_closed(w.c, CTL_CONN_PLAIN, 0, w.now);
	CHECK_INT(ctlclient_deadline(w.c), <=, w.now.mono + MSEC(100));
	w.now.mono += MSEC(100);
	ctlclient_tick(w.c, w.now);
	pump(&w);
	CHECK_INT(w.registers, ==, 1);
	CHECK_INT(w.got_maps, ==, 2);
	CHECK_INT(w.state, ==, CTL_RUNNING);
	rig_close(&w);
	(void)state;
}

/* To the next session, or the next try if there is no hub: the time that it took. */
static mono_ns next_session(struct rig *w, bool hub_there)
{
	mono_ns t0 = w->now.mono;
	unsigned dials = w->dials;

	while (w->dials == dials) {
		w->now.mono = ctlclient_deadline(w->c);
		ctlclient_tick(w->c, w->now);
	}
	if (hub_there)
		pump(w);
	else
		ctlclient_closed(w->c, CTL_CONN_PLAIN, -ERR_CLOSED, w->now);
	if (w->dialled[CTL_CONN_TLS])
		ctlclient_closed(w->c, CTL_CONN_TLS, -ERR_CLOSED, w->now);
	return w->now.mono - t0;
}

static void end_poll(struct rig *w)
{
	ts_stream_finish(w->poll);
	pump(w);
}

/* Another device with the same key takes the poll each time. */
static void sessions_that_live_only_moments_are_begun_ever_more_seldom(void **state)
{
	mono_ns t0;
	struct rig w;

	rig_open(&w, true, NULL);
	ctlclient_start(w.c, w.now);
	pump(&w);
	t0 = w.now.mono;
	while (w.now.mono < t0 + SEC(40)) {
		end_poll(&w);
		(void)next_session(&w, true);
	}
	CHECK_INT(w.maps, <=, 14);
	for (int i = 0; i < 10; i++) {
		end_poll(&w);
		CHECK_INT(next_session(&w, true), <=, SEC(45));
	}
	w.now.mono += CTLCLIENT_SETTLED; /* this one was good */
	ctlclient_tick(w.c, w.now);
	end_poll(&w);
	CHECK_INT(next_session(&w, true), <=, MSEC(100));
	rig_close(&w);
	(void)state;
}

static void a_hub_that_was_away_shortly_is_found_soon(void **state)
{
	static const mono_ns away[] = { SEC(1), SEC(4), SEC(12), SEC(30), SEC(120) };

	for (size_t i = 0; i < ARRAY_LEN(away); i++) {
		struct rig w;
		mono_ns lost, back;
		unsigned tries = 0;

		CHECK_ROW("row %zu", i);
		rig_open(&w, true, NULL);
		ctlclient_start(w.c, w.now);
		pump(&w);
		lost = w.now.mono;
		ctlclient_closed(w.c, CTL_CONN_PLAIN, 0, w.now);
		for (; ctlclient_deadline(w.c) < lost + away[i]; tries++)
			(void)next_session(&w, false);
		CHECK_INT(tries, <=, 120);
		back = MAX_OF(w.now.mono, lost + away[i]);
		(void)next_session(&w, true);
		CHECK_INT(w.state, ==, CTL_RUNNING);
		CHECK_INT(w.now.mono - back, <=, MSEC(100) + away[i] / 16);
		rig_close(&w);
	}
	(void)state;
}

/* A hub that removed a device would have it back at once. */
static void auth_key_is_offered_only_until_the_hub_has_taken_it(void **state)
{
	struct rig w;

	rig_open(&w, false, "hskey-auth-1");
	ctlclient_start(w.c, w.now);
	pump(&w);
	CHECK_INT(w.state, ==, CTL_RUNNING);
	w.register_answer[1] = "{\"AuthURL\":\"http://hub.example/register/1\"}";
	w.map_status = 404; /* removed */
	ctlclient_closed(w.c, CTL_CONN_PLAIN, 0, w.now);
	for (int i = 0; i < 5 && w.state != CTL_NEEDS_LOGIN; i++) {
		w.now.mono = MIN_OF(ctlclient_deadline(w.c), w.now.mono + SEC(30));
		ctlclient_tick(w.c, w.now);
		pump(&w);
	}
	CHECK_INT(w.state, ==, CTL_NEEDS_LOGIN);
	CHECK_TRUE(strstr(w.last_register, "hskey-auth-1") == NULL);
	rig_close(&w);
	(void)state;
}

static void changed_link_is_followed_by_a_new_connection_at_once(void **state)
{
	struct rig w;

	rig_open(&w, true, NULL);
	ctlclient_start(w.c, w.now);
	pump(&w);
	CHECK_INT(w.dials, ==, 1);
	ctlclient_reconnect(w.c, w.now);
	CHECK_INT(w.dials, ==, 2);
	pump(&w);
	CHECK_INT(w.got_maps, ==, 2);
	ctlclient_stop(w.c);
	ctlclient_reconnect(w.c, w.now);
	CHECK_INT(w.dials, ==, 2);
	rig_close(&w);
	(void)state;
}

static void login_url_is_shown_and_followed_until_the_hub_answers(void **state)
{
	struct rig w;

	rig_open(&w, false, NULL);
	w.register_answer[0] = "{\"AuthURL\":\"http://hub.example/register/1\"}";
	w.register_answer[1] = NULL;
	ctlclient_start(w.c, w.now);
	pump(&w);
	CHECK_INT(w.state, ==, CTL_NEEDS_LOGIN);
	CHECK_STR(w.text, "http://hub.example/register/1");
	CHECK_TRUE(w.held &&
		   strstr(w.last_register, "\"Followup\":\"http://hub.example/register/1\""));
	CHECK_INT(ts_stream_respond(w.held, 200, NULL, view_of(joined, strlen(joined))), ==, 0);
	pump(&w);
	CHECK_INT(w.state, ==, CTL_RUNNING);
	CHECK_INT(w.registers, ==, 2);
	rig_close(&w);
	(void)state;
}

static void expired_key_is_replaced_by_a_new_one_that_names_the_old(void **state)
{
	struct rig w;

	rig_open(&w, true, "k");
	w.register_answer[0] = "{\"NodeKeyExpired\":true}";
	ctlclient_start(w.c, w.now);
	pump(&w);
	CHECK_INT(w.keys_made, ==, 1);
	CHECK_TRUE(strstr(w.last_register, "\"OldNodeKey\":\"nodekey:0909") != NULL);
	CHECK_INT(w.state, ==, CTL_RUNNING);
	rig_close(&w);
	(void)state;
}

static void refused_poll_makes_the_node_register_again(void **state)
{
	struct rig w;

	rig_open(&w, true, NULL);
	w.map_status = 404;
	ctlclient_start(w.c, w.now);
	pump(&w);
	CHECK_INT(w.got_maps, ==, 0);
	w.map_status = 200;
	for (int i = 0; i < 5; i++) {
		w.now.mono = MIN_OF(ctlclient_deadline(w.c), w.now.mono + SEC(30));
		ctlclient_tick(w.c, w.now);
		pump(&w);
	}
	CHECK_INT(w.registers, >=, 2);
	CHECK_INT(w.got_maps, ==, 1);
	rig_close(&w);
	(void)state;
}

/* The device has tags, a name and routes; the hub dislikes one of them in every request, or in none. */
static void open_with_settings(struct rig *w, const char *refuses)
{
	static const char *tag = "tag:x";
	static struct ipprefix route = { .ip = { .family = 4, .b = { 10 } }, .bits = 8 };

	rig_open(w, true, NULL);
	w->host = (struct tc_hostinfo){ .hostname = "A Box",
		.request_tags = json_list_of(&tag, 1),
		.routable_ips = json_list_of(&route, 1) };
	w->refuses = refuses;
	ctlclient_start(w->c, w->now);
	pump(w);
}

static void a_refused_setting_is_left_out_and_the_device_stays(void **state)
{
	static const struct {
		const char *refuses, *kept;
	} rows[] = { { "\"RequestTags\"", "\"RoutableIPs\":[\"10.0.0.0/8\"]" },
		{ "\"A Box\"", "\"Hostname\":\"a-box\",\"RoutableIPs\"" },
		{ "\"RoutableIPs\"", "\"Hostname\":\"a-box\"" } };
	struct rig w;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CHECK_ROW("%s", rows[i].refuses);
		open_with_settings(&w, rows[i].refuses);
		CHECK_INT(w.state, ==, CTL_RUNNING);
		CHECK_INT(w.got_maps, ==, 1);
		CHECK_INT(w.dials, ==, 1); /* on the same connection */
		CHECK_INT(w.n_refused, ==, 1);
		CHECK_TRUE(!strncmp(w.refused, "not this", 8) && !strpbrk(w.refused, "\t\n"));
		CHECK_TRUE(
			strstr(w.last_lite, rows[i].kept) && !strstr(w.last_lite, rows[i].refuses));
		ctlclient_update(w.c, w.now); /* news of another kind do not ask for it again */
		pump(&w);
		CHECK_INT(w.n_refused, ==, 1);
		CHECK_TRUE(!strstr(w.last_lite, rows[i].refuses));
		w.refuses = NULL;
		ctlclient_settings_changed(w.c);
		ctlclient_update(w.c, w.now);
		pump(&w);
		CHECK_INT(w.n_refused, ==, 2);
		CHECK_STR(w.refused, "");
		CHECK_TRUE(strstr(w.last_lite, rows[i].refuses));
		rig_close(&w);
	}
}

static void a_setting_that_is_refused_while_it_runs_leaves_the_poll_alone(void **state)
{
	struct rig w;

	(void)state;
	open_with_settings(&w, NULL);
	CHECK_INT(w.maps, ==, 1);
	w.refuses = "\"RequestTags\"";
	ctlclient_settings_changed(w.c);
	ctlclient_update(w.c, w.now);
	pump(&w);
	CHECK_INT(w.state, ==, CTL_RUNNING);
	CHECK_INT(w.maps, ==, 1);
	CHECK_STR(w.refused, "not this one");
	rig_close(&w);
}

static void what_is_no_fault_of_the_settings_stays_a_failure(void **state)
{
	struct rig w;

	(void)state;
	open_with_settings(&w, "NodeKey");
	CHECK_INT(w.state, ==, CTL_NEEDS_LOGIN);
	CHECK_STR(w.text, "not this one");
	CHECK_INT(w.registers, ==, 4);
	CHECK_INT(w.n_refused, ==, 0);
	rig_close(&w);
}

static void a_refused_login_leaves_the_device_with_its_key(void **state)
{
	struct rig w;

	(void)state;
	open_with_settings(&w, NULL);
	w.refuses = "\"AuthKey\"";
	ctlclient_login(w.c, "bad", w.now);
	pump(&w);
	CHECK_INT(w.n_logins_refused, ==, 1);
	CHECK_STR(w.refused, "not this one");
	CHECK_INT(w.state, ==, CTL_RUNNING);
	CHECK_INT(w.maps, ==, 1);
	CHECK_INT(w.dials, ==, 1);
	rig_close(&w);
}

static void silent_poll_is_given_up_after_two_minutes(void **state)
{
	struct rig w;

	rig_open(&w, true, NULL);
	ctlclient_start(w.c, w.now);
	pump(&w);
	CHECK_INT(ctlclient_deadline(w.c), ==, w.now.mono + CTLCLIENT_SILENCE);
	w.now.mono += CTLCLIENT_SILENCE;
	ctlclient_tick(w.c, w.now);
	CHECK_INT(w.state, ==, CTL_CONNECTING);
	CHECK_TRUE(!w.dialled[CTL_CONN_PLAIN]);
	rig_close(&w);
	(void)state;
}

static void a_login_that_waits_asks_whether_the_hub_lives(void **state)
{
	struct rig w;
	mono_ns t0;

	rig_open(&w, false, NULL);
	w.register_answer[0] = "{\"AuthURL\":\"http://hub.example/register/1\"}";
	w.register_answer[1] = NULL; /* nobody approves it yet */
	ctlclient_start(w.c, w.now);
	pump(&w);
	CHECK_TRUE(w.held);
	for (t0 = w.now.mono; w.now.mono < t0 + SEC(3600);) {
		w.now.mono = ctlclient_deadline(w.c);
		ctlclient_tick(w.c, w.now);
		pump(&w);
	}
	CHECK_TRUE(w.held && w.registers == 2); /* the hub answers each time: it waits on */
	for (t0 = w.now.mono; w.dialled[CTL_CONN_PLAIN];) { /* now the hub hangs */
		w.now.mono = ctlclient_deadline(w.c);
		ctlclient_tick(w.c, w.now);
	}
	CHECK_INT(w.now.mono - t0, ==, CTLCLIENT_SILENCE);
	rig_close(&w);
	(void)state;
}

static void tls_is_dialled_when_plaintext_is_slow_or_fails(void **state)
{
	for (int slow = 0; slow < 2; slow++) {
		struct rig w;

		rig_open(&w, true, NULL);
		ctlclient_start(w.c, w.now);
		CHECK_TRUE(!w.dialled[CTL_CONN_TLS]);
		if (slow) {
			w.now.mono += MSEC(500);
			ctlclient_tick(w.c, w.now);
			CHECK_TRUE(w.dialled[CTL_CONN_PLAIN]);
		} else {
			ctlclient_closed(w.c, CTL_CONN_PLAIN, -ERR_CLOSED, w.now);
		}
		CHECK_TRUE(w.dialled[CTL_CONN_TLS]);
		rig_close(&w);
	}
	(void)state;
}

static void logout_is_told_to_the_hub_and_ends_the_session(void **state)
{
	struct rig w;

	rig_open(&w, true, NULL);
	ctlclient_start(w.c, w.now);
	pump(&w);
	ctlclient_logout(w.c, w.now);
	pump(&w);
	CHECK_TRUE(strstr(w.last_register, "\"Expiry\":\"1970-01-01T00:02:03Z\"") != NULL);
	CHECK_INT(w.state, ==, CTL_LOGGED_OUT);
	CHECK_TRUE(!w.dialled[CTL_CONN_PLAIN]);
	CHECK_INT(ctlclient_deadline(w.c), ==, MONO_NEVER);
	rig_close(&w);
	(void)state;
}

/* A login is under way. Which key the hub knows is not known, so both are logged out; the login's answer is none to that. */
static void a_logout_during_a_login_is_told_to_the_hub(void **state)
{
	struct rig w;

	rig_open(&w, true, NULL);
	ctlclient_start(w.c, w.now);
	pump(&w);
	ctlclient_login(w.c, "hskey-auth-1", w.now);
	ctlclient_logout(w.c, w.now);
	pump(&w);
	CHECK_INT(w.logouts, ==, 2);
	CHECK_TRUE(strstr(w.last_register, "\"NodeKey\":\"nodekey:0909") != NULL);
	CHECK_INT(w.state, ==, CTL_LOGGED_OUT);
	rig_close(&w);
	(void)state;
}

static void message_of_several_zstd_frames_decodes_however_it_is_cut(void **state)
{
	uint8_t m[512];
	size_t len = map_message(m, sizeof(m));

	for (size_t cut = 1; cut < len; cut++) {
		struct mapstream s;
		struct view json;

		CHECK_ROW("cut %zu", cut);
		CHECK_INT(mapstream_init(&s, 4096, 1 << 20), ==, 0);
		CHECK_INT(mapstream_feed(&s, view_of(m, cut)), ==, 0);
		CHECK_INT(mapstream_next(&s, &json), ==, 0);
		CHECK_INT(mapstream_feed(&s, view_of(m + cut, len - cut)), ==, 0);
		CHECK_INT(mapstream_next(&s, &json), ==, 1);
		CHECK_INT(json.len, ==, 68);
		CHECK_INT(mapstream_next(&s, &json), ==, 0);
		mapstream_fini(&s);
	}
	(void)state;
}

static void truncated_oversized_and_false_frames_are_refused(void **state)
{
	uint8_t m[512];
	size_t len = map_message(m, sizeof(m));
	struct mapstream s;
	struct view json;

	CHECK_INT(mapstream_init(&s, 4096, 1 << 20), ==, 0);
	CHECK_INT(mapstream_feed(&s, view_of("\xff\xff\xff\x7f", 4)), ==, 0);
	CHECK_INT(mapstream_next(&s, &json), ==, -ERR_TOO_BIG);
	mapstream_reset(&s);
	CHECK_INT(mapstream_feed(&s, view_of("\4\0\0\0abcd", 8)), ==, 0);
	CHECK_INT(mapstream_next(&s, &json), ==, -ERR_BAD_FORMAT);
	mapstream_reset(&s);
	store_le32(m, (uint32_t)len - 6);
	CHECK_INT(mapstream_feed(&s, view_of(m, len - 2)), ==, 0);
	CHECK_INT(mapstream_next(&s, &json), ==, -ERR_TRUNCATED);
	mapstream_fini(&s);
	(void)state;
}

/* When it comes again: the deadline, and nothing before. */
static mono_ns waits(const struct rig *w)
{
	return ctlclient_deadline(w->c) - w->now.mono;
}

struct busy_row {
	int status, retry_after;
	mono_ns least, most; /* 0: an ordinary failure */
};
static const struct busy_row busy_rows[] = {
	{ 429, 30, SEC(30), SEC(30) },
	{ 503, 45, SEC(45), SEC(45) },
	{ 429, 300, SEC(300), SEC(300) },
	{ 429, 3600, SEC(300), SEC(300) }, /* believed, and capped */
	{ 503, 3600, SEC(300), SEC(300) },
	{ 429, 3601, SEC(5), SEC(10) }, /* not believed */
	{ 503, 3601, SEC(5), SEC(10) },
	{ 429, 0, SEC(5), SEC(10) },
	{ 429, -1, SEC(5), SEC(10) }, /* no header */
	{ 503, -1, 0, 0 },            /* a proxy may say so: no word of ours */
	{ 500, 30, 0, 0 },
};

static void check_wait(const struct rig *w, const struct busy_row *r)
{
	mono_ns wait = waits(w);

	if (r->most ? wait < r->least || wait > r->most : wait > MSEC(100))
		print_error("# %d Retry-After %d: waits %lld ms\n", r->status, r->retry_after,
			(long long)(wait / MSEC(1)));
	CHECK_INT(wait, >=, r->most ? r->least : 0);
	CHECK_INT(wait, <=, r->most ? r->most : MSEC(100));
	CHECK_TRUE(!w->dialled[CTL_CONN_PLAIN] && !w->dialled[CTL_CONN_TLS]);
}

static void rule_1_3_a_busy_hub_is_asked_for_a_map_again_when_it_says(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(busy_rows); i++) {
		const struct busy_row *r = &busy_rows[i];
		struct rig w;

		rig_open(&w, true, NULL);
		w.map_status = r->status;
		w.retry_after = r->retry_after;
		ctlclient_start(w.c, w.now);
		pump(&w);
		check_wait(&w, r);
		CHECK_INT(strstr(w.trouble, "asks to be left alone") != NULL, ==, r->most > 0);
		/* Time and again: it never waits longer of its own. */
		for (int k = 0; k < 5 && r->most; k++) {
			w.now.mono = ctlclient_deadline(w.c) - 1;
			ctlclient_tick(w.c, w.now);
			CHECK_TRUE(!w.dialled[CTL_CONN_PLAIN]);
			w.now.mono++;
			ctlclient_tick(w.c, w.now);
			pump(&w);
			CHECK_INT(w.maps, ==, k + 2);
			check_wait(&w, r);
		}
		/* And when it is let in, a loss is a first loss: no back-off was counted. */
		w.map_status = 200;
		w.now.mono = ctlclient_deadline(w.c);
		ctlclient_tick(w.c, w.now);
		pump(&w);
		CHECK_INT(w.got_maps, ==, 1);
		CHECK_INT(w.registers, ==, r->most ? 1 : 2); /* busy is not "I don't know you" */
		rig_close(&w);
	}
	(void)state;
}

static void rule_1_3_a_busy_hub_is_asked_to_register_again_when_it_says(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(busy_rows); i++) {
		const struct busy_row *r = &busy_rows[i];
		struct rig w;

		rig_open(&w, false, "hskey-auth-1");
		w.register_status = r->status;
		w.retry_after = r->retry_after;
		ctlclient_start(w.c, w.now);
		pump(&w);
		check_wait(&w, r);
		w.register_status = 200;
		w.now.mono = ctlclient_deadline(w.c);
		ctlclient_tick(w.c, w.now);
		pump(&w);
		CHECK_INT(w.registers, ==, 2);
		CHECK_TRUE(strstr(w.last_register, "hskey-auth-1") != NULL);
		CHECK_INT(w.got_maps, ==, 1);
		rig_close(&w);
	}
	(void)state;
}

static void rule_1_3_a_lite_update_that_a_busy_hub_refused_is_sent_again_and_the_stream_goes_on(
	void **state)
{
	struct rig w;

	rig_open(&w, true, NULL);
	ctlclient_start(w.c, w.now);
	pump(&w);
	w.lite_status = 429;
	w.retry_after = 7;
	ctlclient_update(w.c, w.now);
	pump(&w);
	CHECK_INT(w.lites, ==, 2);
	CHECK_INT(w.state, ==, CTL_RUNNING);
	CHECK_INT(waits(&w), ==, SEC(7));
	ctlclient_update(w.c, w.now); /* another change does not go out before */
	pump(&w);
	CHECK_INT(w.lites, ==, 2);
	w.lite_status = 200;
	w.now.mono += SEC(7);
	ctlclient_tick(w.c, w.now);
	pump(&w);
	CHECK_INT(w.lites, ==, 3);
	CHECK_INT(w.maps, ==, 1);
	CHECK_INT(w.state, ==, CTL_RUNNING);
	rig_close(&w);
	(void)state;
}

static void rule_1_a_message_above_its_bound_ends_the_stream(void **state)
{
	struct mapstream m;
	struct view v;
	uint8_t head[4];

	CHECK_INT(mapstream_init(&m, 1000, 100), ==, 0);
	store_le32(head, 997);
	CHECK_INT(mapstream_feed(&m, view_of(head, 4)), ==, 0);
	CHECK_INT(mapstream_next(&m, &v), ==, -ERR_TOO_BIG); /* of the frame, before it is there */
	mapstream_reset(&m);
	{
		uint8_t packed[200];
		char zeros[200] = { 0 };
		size_t n = ZSTD_compress(packed + 4, sizeof(packed) - 4, zeros, sizeof(zeros), 1);

		store_le32(packed, (uint32_t)n);
		CHECK_INT(mapstream_feed(&m, view_of(packed, 4 + n)), ==, 0);
		CHECK_TRUE(mapstream_next(&m, &v) < 0); /* of the JSON that comes out of it */
	}
	mapstream_fini(&m);
	(void)state;
}

static void rule_2_a_stream_that_does_not_begin_with_the_device_itself_is_given_up(void **state)
{
	struct rig w;

	rig_open(&w, true, NULL);
	w.says[0] = "{\"KeepAlive\":true}"; /* may come before */
	w.says[1] = "{\"PeersRemoved\":[1]}";
	ctlclient_start(w.c, w.now);
	pump(&w);
	CHECK_INT(w.got_maps, ==, 0);
	CHECK_INT(w.state, ==, CTL_CONNECTING);
	CHECK_TRUE(!w.dialled[CTL_CONN_PLAIN]);
	w.says[1] = "{\"Node\":{\"ID\":1,\"StableID\":\"n1\",\"Name\":\"a.\"}}";
	w.says[2] = "{\"PeersRemoved\":[1]}";
	w.now.mono = ctlclient_deadline(w.c);
	ctlclient_tick(w.c, w.now);
	pump(&w);
	CHECK_INT(w.state, ==, CTL_RUNNING);
	CHECK_INT(w.got_maps, ==, 2);
	CHECK_INT(w.first_maps, ==, 1);
	rig_close(&w);
	(void)state;
}

static void rule_4_a_hub_that_never_answers_a_map_request_is_left_after_two_minutes(void **state)
{
	struct rig w;

	rig_open(&w, true, NULL);
	w.map_status = 0; /* no headers */
	ctlclient_start(w.c, w.now);
	pump(&w);
	CHECK_INT(w.maps, ==, 1);
	w.now.mono += CTLCLIENT_SILENCE - 1;
	ctlclient_tick(w.c, w.now);
	pump(&w);
	CHECK_TRUE(w.dialled[CTL_CONN_PLAIN]);
	w.now.mono += 1;
	ctlclient_tick(w.c, w.now);
	CHECK_TRUE(!w.dialled[CTL_CONN_PLAIN]);
	rig_close(&w);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(node_joins_with_an_auth_key_and_gets_its_map),
		cmocka_unit_test(
			lost_connection_is_dialled_again_within_100_ms_without_registering),
		cmocka_unit_test(sessions_that_live_only_moments_are_begun_ever_more_seldom),
		cmocka_unit_test(a_hub_that_was_away_shortly_is_found_soon),
		cmocka_unit_test(auth_key_is_offered_only_until_the_hub_has_taken_it),
		cmocka_unit_test(changed_link_is_followed_by_a_new_connection_at_once),
		cmocka_unit_test(login_url_is_shown_and_followed_until_the_hub_answers),
		cmocka_unit_test(expired_key_is_replaced_by_a_new_one_that_names_the_old),
		cmocka_unit_test(refused_poll_makes_the_node_register_again),
		cmocka_unit_test(a_refused_setting_is_left_out_and_the_device_stays),
		cmocka_unit_test(a_setting_that_is_refused_while_it_runs_leaves_the_poll_alone),
		cmocka_unit_test(what_is_no_fault_of_the_settings_stays_a_failure),
		cmocka_unit_test(a_refused_login_leaves_the_device_with_its_key),
		cmocka_unit_test(silent_poll_is_given_up_after_two_minutes),
		cmocka_unit_test(a_login_that_waits_asks_whether_the_hub_lives),
		cmocka_unit_test(tls_is_dialled_when_plaintext_is_slow_or_fails),
		cmocka_unit_test(logout_is_told_to_the_hub_and_ends_the_session),
		cmocka_unit_test(a_logout_during_a_login_is_told_to_the_hub),
		cmocka_unit_test(message_of_several_zstd_frames_decodes_however_it_is_cut),
		cmocka_unit_test(truncated_oversized_and_false_frames_are_refused),
		cmocka_unit_test(rule_1_a_message_above_its_bound_ends_the_stream),
		cmocka_unit_test(
			rule_2_a_stream_that_does_not_begin_with_the_device_itself_is_given_up),
		cmocka_unit_test(
			rule_4_a_hub_that_never_answers_a_map_request_is_left_after_two_minutes),
		cmocka_unit_test(rule_1_3_a_busy_hub_is_asked_for_a_map_again_when_it_says),
		cmocka_unit_test(rule_1_3_a_busy_hub_is_asked_to_register_again_when_it_says),
		cmocka_unit_test(
			rule_1_3_a_lite_update_that_a_busy_hub_refused_is_sent_again_and_the_stream_goes_on),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
