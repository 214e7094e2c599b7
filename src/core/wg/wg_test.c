#include "base/err/err.h"
#include "core/wg/internal.h"
#include "testlib/vectors.h"

#include <errno.h>
#include <stdlib.h>

/* Randomness that gives recorded bytes in order, then a count. */
struct rng_script {
	struct rng rng;
	uint8_t bytes[256];
	size_t at, len, spent;
};

static void script_fill(struct rng *r, void *out, size_t n)
{
	struct rng_script *s = container_of(r, struct rng_script, rng);

	for (size_t i = 0; i < n; i++)
		((uint8_t *)out)[i] = s->at < s->len ? s->bytes[s->at++] : (uint8_t)++s->spent;
}

static void script_add(struct rng_script *s, const void *p, size_t n)
{
	memcpy(s->bytes + s->len, p, n);
	s->len += n;
}

/* A sink that keeps the last of everything. */
struct keep {
	struct wg_sink sink;
	uint8_t dg[64][2048];
	size_t dg_len[64], n_dg;
	uint8_t pkt[64][2048];
	size_t pkt_len[64], n_pkt;
	uint8_t reply[256];
	size_t reply_len;
	unsigned sessions, unreachable, no_session;
};

static void keep_to_peer(struct wg_sink *s, struct wg_peer *p, const struct pkt *d, size_t n)
{
	struct keep *k = container_of(s, struct keep, sink);

	for (size_t i = 0; i < n && k->n_dg < 64; i++) {
		memcpy(k->dg[k->n_dg], d[i].p, d[i].len);
		k->dg_len[k->n_dg++] = d[i].len;
	}
}

static void keep_to_source(
	struct wg_sink *s, const struct wg_source *to, const uint8_t *d, size_t len)
{
	struct keep *k = container_of(s, struct keep, sink);

	memcpy(k->reply, d, len);
	k->reply_len = len;
}

static void keep_packets(struct wg_sink *s, struct wg_peer *p, struct pkt *pkt, size_t n)
{
	struct keep *k = container_of(s, struct keep, sink);

	for (size_t i = 0; i < n && k->n_pkt < 64; i++) {
		memcpy(k->pkt[k->n_pkt], pkt[i].p, pkt[i].len);
		k->pkt_len[k->n_pkt++] = pkt[i].len;
	}
}

static void keep_event(struct wg_sink *s, struct wg_peer *p, enum wg_event ev)
{
	struct keep *k = container_of(s, struct keep, sink);

	k->sessions += ev == WG_EV_SESSION;
	k->unreachable += ev == WG_EV_UNREACHABLE;
}

static struct wg_peer *keep_unknown(struct wg_sink *s, const struct node_pub *key)
{
	return NULL;
}

static void keep_no_session(struct wg_sink *s, const struct wg_source *from)
{
	struct keep *k = container_of(s, struct keep, sink);

	k->no_session++;
	CHECK_INT(from->len, >, 0);
}

static const struct wg_sink keep_sink = { keep_to_peer, keep_to_source, keep_packets, keep_event,
	keep_unknown, keep_no_session };

struct side {
	struct rng_script rng;
	struct rng_seeded seeded;
	struct keep keep;
	struct wg_device *dev;
	struct wg_peer *peer;
};

static void side_open(struct side *s, const json_t *c, const char *private)
{
	struct wg_cfg cfg = { .mtu = 1420, .rng = &s->rng.rng, .sink = &s->keep.sink };

	memset(s, 0, sizeof(*s));
	s->rng.rng.fill = script_fill;
	s->keep.sink = keep_sink;
	vec_hex_exact(c, private, cfg.private.b, KEY_LEN);
	CHECK_INT(wg_new(&s->dev, &cfg), ==, 0);
}

static void side_add(struct side *s, const struct node_pub *key)
{
	CHECK_INT(wg_peer_add(s->dev, key, &s->peer), ==, 0);
}

static void allow(struct side *s, const json_t *list)
{
	json_t *v;
	size_t i;

	json_array_foreach(list, i, v)
	{
		struct ipprefix p;

		CHECK_INT(ipprefix_parse(json_string_value(v), json_string_length(v), &p), ==, 0);
		CHECK_INT(wg_peer_allow(s->dev, s->peer, p), ==, 0);
	}
}

static void script_hex(struct side *s, const json_t *c, const char *key, size_t n)
{
	uint8_t b[64];

	vec_hex_exact(c, key, b, n);
	script_add(&s->rng, b, n);
}

static void feed(struct side *s, const uint8_t *p, size_t n, struct now now)
{
	static uint8_t mem[4096];
	struct wg_datagram d = { .p = mem, .len = n, .source = { .len = 6, .b = { 1 } } };

	memcpy(mem, p, n);
	wg_receive(s->dev, &d, 1, now);
}

static void open_pair(struct side *a, struct side *b, const json_t *c)
{
	uint8_t psk[32] = { 0 };

	side_open(a, c, "a_private");
	side_open(b, c, "b_private");
	side_add(a, wg_public(b->dev));
	side_add(b, wg_public(a->dev));
	if (json_object_get(c, "preshared_key") && vec_str(c, "preshared_key")[0])
		vec_hex_exact(c, "preshared_key", psk, 32);
	wg_peer_set_psk(a->peer, psk);
	wg_peer_set_psk(b->peer, psk);
}

/* The timestamp is the recorded one: 1.67e7 ns steps are not whole milliseconds, so it is set as "the last" minus one step. */
static void set_timestamp(struct side *s, const json_t *c, const char *key, struct now *now)
{
	uint8_t ts[WGMSG_TAI64N_LEN];

	vec_hex_exact(c, key, ts, sizeof(ts));
	now->wall = (unix_ms)((load_be64(ts) - 0x400000000000000a) * 1000);
	store_be32(ts + 8, load_be32(ts + 8) - ((uint32_t)1 << 24));
	memcpy(s->peer->sent_timestamp, ts, sizeof(ts));
}

static struct side a, b;

static void run_transport_verdicts(json_t *file, struct now now)
{
	json_t *s = vectors_section(file, "transport_verdict"), *c;
	size_t i;

	json_array_foreach(s, i, c)
	{
		size_t n, want_len;
		uint8_t *bytes = vec_hex(c, "bytes", &n), *want;

		CHECK_ROW("transport %s", vec_str(c, "name"));
		b.keep.n_pkt = 0;
		feed(&b, bytes, n, now);
		CHECK_INT(b.keep.n_pkt, ==, vec_bool(c, "delivered"));
		if (vec_bool(c, "delivered")) {
			want = vec_hex(c, "plaintext", &want_len);
			CHECK_INT(b.keep.pkt_len[0], ==, want_len);
			CHECK_MEM(b.keep.pkt[0], want, want_len);
			free(want);
		}
		free(bytes);
	}
	vectors_count("wg.json", "transport_verdict", json_array_size(s));
}

static void send_plain(struct side *s, const uint8_t *p, size_t n, struct now now)
{
	uint8_t mem[PKT_ROOM(2048)];
	struct pkt pkt = pkt_in(mem, n);

	memcpy(pkt.p, p, n);
	if (n)
		wg_send(s->dev, s->peer, &pkt, 1, now);
	else
		wg_keepalive(s->dev, s->peer, now);
}

static void recorded_sessions_are_replayed_byte_for_byte(void **state)
{
	json_t *file = vectors_load("wg.json"), *s = vectors_section(file, "session"), *c;
	struct now now = { .mono = SEC(1000) };
	size_t i;

	json_array_foreach(s, i, c)
	{
		const char *psk = vec_str(c, "preshared_key");
		size_t k;
		json_t *p;

		/* Data first: it waits, as in the recording, so that no keepalive of ours goes before it. */
		open_pair(&a, &b, c);
		allow(&a, json_object_get(c, "b_allowed_ips"));
		allow(&b, json_object_get(c, "a_allowed_ips"));
		script_hex(&a, c, "a_index", 4);
		a.rng.len += 8;
		script_hex(&a, c, "a_ephemeral_private", 32);
		script_hex(&b, c, "b_index", 4);
		script_hex(&b, c, "b_ephemeral_private", 32);
		set_timestamp(&a, c, "timestamp", &now);
		json_array_foreach(json_object_get(c, "packets"), k, p)
		{
			struct side *from = strcmp(vec_str(p, "dir"), "a2b") ? &b : &a;
			size_t n, plain_len;
			uint8_t *want = vec_hex(p, "bytes", &n), *plain;
			const char *kind = vec_str(p, "kind");

			CHECK_ROW("%s, packet %zu", vec_str(c, "name"), k);
			if (!strcmp(kind, "initiation")) {
				json_t *first = NULL, *q;
				size_t j;

				json_array_foreach(json_object_get(c, "packets"), j,
					q) if (!first && !strcmp(vec_str(q, "kind"), "transport") &&
					       !strcmp(vec_str(q, "dir"), "a2b")) first = q;
				plain = vec_hex(first, "plaintext", &plain_len);
				if (plain_len)
					send_plain(&a, plain, plain_len, now);
				else
					wg_start_handshake(a.dev, a.peer, now);
				free(plain);
			} else if (!strcmp(kind, "transport") && from->keep.n_dg == 0) {
				plain = vec_hex(p, "plaintext", &plain_len);
				send_plain(from, plain, plain_len, now);
				free(plain);
			}
			CHECK_INT(from->keep.n_dg, >, 0);
			CHECK_INT(from->keep.dg_len[0], ==, n);
			CHECK_MEM(from->keep.dg[0], want, n);
			from->keep.n_dg--;
			memmove(from->keep.dg[0], from->keep.dg[1],
				sizeof(from->keep.dg[0]) * from->keep.n_dg);
			memmove(from->keep.dg_len, from->keep.dg_len + 1,
				sizeof(size_t) * from->keep.n_dg);
			feed(from == &a ? &b : &a, want, n, now);
			free(want);
		}
		CHECK_INT(a.keep.sessions, ==, 1);
		CHECK_INT(b.keep.sessions, ==, 1);
		if (!psk[0] || strspn(psk, "0") == strlen(psk))
			run_transport_verdicts(file, now);
		wg_free(a.dev);
		wg_free(b.dev);
	}
	vectors_count("wg.json", "session", json_array_size(s));
	json_decref(file);
}

static void initiations_are_answered_as_recorded(void **state)
{
	json_t *file = vectors_load("wg.json"), *s = vectors_section(file, "initiation_verdict"),
	       *c, *v;
	json_t *keys = json_array_get(vectors_section(file, "initiation_keys"), 0);
	size_t i, k;

	json_array_foreach(s, i, c)
	{
		struct now now = { .mono = SEC(1000), .wall = 1800000000000 };
		uint8_t a_private[KEY_LEN], a_public[KEY_LEN];
		struct node_pub pub;

		side_open(&b, keys, "b_private");
		vec_hex_exact(keys, "a_private", a_private, KEY_LEN);
		CHECK_INT(key_public(a_private, a_public), ==, 0);
		memcpy(pub.b, a_public, KEY_LEN);
		if (vec_bool(c, "b_knows_a"))
			side_add(&b, &pub);
		json_array_foreach(json_object_get(c, "packets"), k, v)
		{
			size_t n;
			uint8_t *bytes = hex_bytes(json_string_value(v), &n);

			CHECK_ROW("%s, packet %zu", vec_str(c, "name"), k);
			b.keep.n_dg = 0;
			feed(&b, bytes, n, now);
			CHECK_INT(b.keep.n_dg, ==,
				json_is_true(json_array_get(json_object_get(c, "answered"), k)));
			now.mono += MSEC(vec_int(c, "gap_ms"));
			free(bytes);
		}
		wg_free(b.dev);
	}
	vectors_count("wg.json", "initiation_verdict", json_array_size(s));
	json_decref(file);
}

static void cookies_are_asked_for_under_load_and_honoured(void **state)
{
	json_t *file = vectors_load("wg.json"), *s = vectors_section(file, "cookie"), *c;
	size_t i;

	json_array_foreach(s, i, c)
	{
		size_t n, src_len, n2;
		uint8_t *msg = vec_hex(c, "message_without_mac2", &n),
			*src = vec_hex(c, "src_bytes", &src_len);
		uint8_t *full = vec_hex(c, "message_with_mac2", &n2), priv[KEY_LEN], pub[KEY_LEN];
		struct cookie_checker checker;
		struct cookie_sender sender;
		struct wgmsg_cookie_reply reply, want;
		struct rng_script rng = { .rng.fill = script_fill };
		struct view source = view_of(src, src_len);

		CHECK_ROW("cookie %zu", i);
		vec_hex_exact(c, "receiver_private", priv, KEY_LEN);
		CHECK_INT(key_public(priv, pub), ==, 0);
		vec_hex_exact(c, "cookie_secret", rng.bytes, 32);
		vec_hex_exact(c, "nonce", rng.bytes + 32, 24);
		rng.len = 56;
		wg_cookie_checker_init(&checker, pub);
		wg_cookie_sender_init(&sender, pub);
		CHECK_INT(wg_cookie_check(&checker, msg, n, source, 0), ==, COOKIE_MAC1_ONLY);
		wg_cookie_reply(&checker, &rng.rng, msg, n, source, 0, &reply);
		vec_hex_exact(c, "cookie_reply", &want, sizeof(want));
		/* In this section the receiver index is not the one in the message: it was set by hand. */
		CHECK_MEM(reply.receiver, msg + 4, 4);
		CHECK_MEM(reply.nonce, want.nonce, sizeof(want.nonce));
		CHECK_MEM(reply.sealed_cookie, want.sealed_cookie, sizeof(want.sealed_cookie));
		CHECK_INT(wg_cookie_consume(&sender, &reply, 0), ==, -ERR_BAD_STATE);
		wg_cookie_add_macs(&sender, msg, n, 0);
		CHECK_INT(wg_cookie_consume(&sender, &reply, 0), ==, 0);
		wg_cookie_add_macs(&sender, msg, n, 0);
		CHECK_MEM(msg, full, n);
		CHECK_INT(wg_cookie_check(&checker, msg, n, source, 0), ==, COOKIE_GOOD);
		CHECK_INT(wg_cookie_check(&checker, msg, n, view_of(src, src_len - 1), 0), ==,
			COOKIE_MAC1_ONLY);
		CHECK_INT(
			wg_cookie_check(&checker, msg, n, source, SEC(121)), ==, COOKIE_MAC1_ONLY);
		free(msg);
		free(src);
		free(full);
	}
	vectors_count("wg.json", "cookie", json_array_size(s));
	json_decref(file);
}

/* The side a writes the recorded initiation: "first" or "second". */
static void expect_initiation(const json_t *c, const char *which, struct now now)
{
	char initiation[32], ephemeral[40], timestamp[32];
	uint8_t *msg;
	size_t n;

	snprintf(initiation, sizeof(initiation), "%s_initiation", which);
	snprintf(ephemeral, sizeof(ephemeral), "%s_ephemeral_private", which);
	snprintf(timestamp, sizeof(timestamp), "%s_timestamp", which);
	msg = vec_hex(c, initiation, &n);
	a.rng.at = a.rng.len = 0;
	script_add(&a.rng, msg + 4, 4); /* the index */
	a.rng.len += 8;                 /* jitter */
	script_hex(&a, c, ephemeral, 32);
	set_timestamp(&a, c, timestamp, &now);
	a.keep.n_dg = 0;
	if (strcmp(which, "first") == 0)
		wg_start_handshake(a.dev, a.peer, now);
	else
		wg_tick(a.dev, now);
	CHECK_INT(a.keep.n_dg, ==, 1);
	CHECK_INT(a.keep.dg_len[0], ==, n);
	CHECK_MEM(a.keep.dg[0], msg, n);
	free(msg);
}

static void recorded_cookie_session_is_replayed(void **state)
{
	json_t *file = vectors_load("wg.json"),
	       *c = json_array_get(vectors_section(file, "cookie_session"), 0);
	struct now now = { .mono = SEC(1000) };
	size_t n;
	uint8_t *msg;
	struct wg_datagram d;

	open_pair(&a, &b, c);
	expect_initiation(c, "first", now);
	msg = vec_hex(c, "cookie_reply", &n);
	feed(&a, msg, n, now);
	free(msg);
	CHECK_INT(wg_counters(a.dev)->cookie_received, ==, 1);
	now.mono += SEC(6); /* not before the first attempt has timed out */
	expect_initiation(c, "second", now);
	wg_set_load_limit(b.dev, 0);
	msg = vec_hex(c, "cookie_reply", &n);
	script_hex(&b, c, "b_cookie_secret", 32);
	script_add(&b.rng, msg + 8, 24);
	free(msg);
	msg = vec_hex(c, "first_initiation", &n);
	d = (struct wg_datagram){ .p = msg, .len = n };
	{
		size_t len;
		uint8_t *addr = vec_hex(c, "a_addr_bytes", &len);

		d.source.len = (uint8_t)len;
		memcpy(d.source.b, addr, len);
		free(addr);
	}
	wg_receive(b.dev, &d, 1, now);
	free(msg);
	msg = vec_hex(c, "cookie_reply", &n);
	CHECK_INT(b.keep.reply_len, ==, n);
	CHECK_MEM(b.keep.reply, msg, n);
	free(msg);
	msg = vec_hex(c, "response", &n);
	script_add(&b.rng, msg + 4, 4);
	script_hex(&b, c, "response_ephemeral_private", 32);
	free(msg);
	msg = vec_hex(c, "second_initiation", &n);
	d.p = msg;
	d.len = n;
	b.keep.n_dg = 0;
	wg_receive(b.dev, &d, 1, now);
	free(msg);
	msg = vec_hex(c, "response", &n);
	CHECK_INT(b.keep.n_dg, ==, 1);
	CHECK_MEM(b.keep.dg[0], msg, n);
	free(msg);
	vectors_count("wg.json", "cookie_session", 1);
	wg_free(a.dev);
	wg_free(b.dev);
	json_decref(file);
}

static void replay_window_gives_the_recorded_verdicts(void **state)
{
	json_t *file = vectors_load("wg.json"), *s = vectors_section(file, "replay_window"), *c, *v;
	size_t i, k;

	json_array_foreach(s, i, c)
	{
		struct replay r;
		bool fresh;

		wg_replay_init(&r);
		json_array_foreach(json_object_get(c, "steps"), k, v)
		{
			CHECK_ROW("%s, step %zu", vec_str(c, "name"), k);
			wg_replay_accept(&r,
				&(struct chapoly_job){
					.counter = (uint64_t)vec_int(v, "counter"), .ok = true },
				1, REJECT_AFTER_MESSAGES, &fresh);
			CHECK_INT(fresh, ==, vec_bool(v, "accept"));
		}
		wg_replay_fini(&r);
	}
	vectors_count("wg.json", "replay_window", json_array_size(s));
	json_decref(file);
}

/* Two live engines with a virtual clock and a lossless wire. */
struct live {
	struct side s[2];
	struct now now;
};

static void live_open(struct live *l)
{
	static const uint8_t priv[2][KEY_LEN] = { { 8, [31] = 64 }, { 16, [31] = 64 } };

	memset(l, 0, sizeof(*l));
	for (int i = 0; i < 2; i++) {
		struct side *s = &l->s[i];
		struct wg_cfg cfg = { .mtu = 1420, .rng = &s->seeded.rng, .sink = &s->keep.sink };

		rng_seeded_init(&s->seeded, (uint64_t)i + 1);
		s->keep.sink = keep_sink;
		memcpy(cfg.private.b, priv[i], KEY_LEN);
		CHECK_INT(wg_new(&s->dev, &cfg), ==, 0);
	}
	for (int i = 0; i < 2; i++) {
		struct ipprefix p = { .ip = ipaddr_v4(10, 0, 0, (uint8_t)(2 - i)), .bits = 32 };

		side_add(&l->s[i], wg_public(l->s[1 - i].dev));
		CHECK_INT(wg_peer_allow(l->s[i].dev, l->s[i].peer, p), ==, 0);
	}
	l->now = (struct now){ .mono = SEC(1000), .wall = 1800000000000 };
}

static void live_close(struct live *l)
{
	wg_free(l->s[0].dev);
	wg_free(l->s[1].dev);
}

static unsigned live_exchange(struct live *l, bool deliver)
{
	unsigned moved = 0;

	for (bool more = true; more;) {
		more = false;
		for (int i = 0; i < 2; i++) {
			struct keep *k = &l->s[i].keep;
			size_t n = k->n_dg;

			k->n_dg = 0;
			for (size_t j = 0; j < n; j++, moved++, more = true) {
				static uint8_t copy[2048];

				memcpy(copy, k->dg[j], k->dg_len[j]);
				if (deliver)
					feed(&l->s[1 - i], copy, k->dg_len[j], l->now);
			}
		}
	}
	return moved;
}

static void live_run(struct live *l, mono_ns until, bool deliver)
{
	for (;;) {
		mono_ns next = mono_min(wg_deadline(l->s[0].dev), wg_deadline(l->s[1].dev));

		if (next > until)
			break;
		l->now.wall += (next - l->now.mono) / MSEC(1);
		l->now.mono = MAX_OF(next, l->now.mono);
		wg_tick(l->s[0].dev, l->now);
		wg_tick(l->s[1].dev, l->now);
		live_exchange(l, deliver);
	}
	l->now.wall += (until - l->now.mono) / MSEC(1);
	l->now.mono = until;
}

static void live_ping(struct live *l, int from)
{
	uint8_t pkt[20] = { 0x45, 0, 0, 20, [8] = 64, [12] = 10, 0, 0, (uint8_t)(1 + from), 10, 0,
		0, (uint8_t)(2 - from) };

	send_plain(&l->s[from], pkt, sizeof(pkt), l->now);
	live_exchange(l, true);
}

static void session_is_renewed_before_it_expires_and_no_packet_is_lost(void **state)
{
	struct live l;

	live_open(&l);
	for (int i = 0; i < 600; i++) {
		live_ping(&l, i & 1);
		CHECK_INT(l.s[1 - (i & 1)].keep.n_pkt, ==, 1);
		l.s[0].keep.n_pkt = l.s[1].keep.n_pkt = 0;
		live_run(&l, l.now.mono + SEC(1), true);
	}
	CHECK_INT(l.s[0].keep.sessions, >=, 4); /* 600 s, a new one each 120 s */
	CHECK_INT(l.s[0].keep.sessions, <=, 8);
	live_close(&l);
}

static void initiator_gives_up_after_90_seconds_of_silence(void **state)
{
	struct live l;
	uint8_t pkt[20] = { 0x45, 0, 0, 20 };

	live_open(&l);
	send_plain(&l.s[0], pkt, sizeof(pkt), l.now);
	l.s[0].keep.n_dg = 0;
	live_run(&l, l.now.mono + SEC(300), false);
	CHECK_INT(l.s[0].keep.unreachable, ==, 1);
	CHECK_INT(l.s[0].peer->n_staged, ==, 0);
	live_close(&l);
}

static void idle_receiver_answers_data_with_one_keepalive(void **state)
{
	struct live l;

	live_open(&l);
	live_ping(&l, 0);
	live_run(&l, l.now.mono + SEC(30), true);
	live_ping(&l, 0);
	CHECK_INT(l.s[1].keep.n_dg, ==, 0);
	{
		uint64_t before = wg_counters(l.s[1].dev)->sent_datagrams;

		live_run(&l, l.now.mono + SEC(60), true);
		CHECK_INT(wg_counters(l.s[1].dev)->sent_datagrams - before, ==, 1);
	}
	live_close(&l);
}

static void persistent_keepalive_keeps_its_interval(void **state)
{
	struct live l;
	uint64_t before;

	live_open(&l);
	live_ping(&l, 0);
	wg_peer_set_keepalive(l.s[0].dev, l.s[0].peer, 25, l.now.mono);
	live_run(&l, l.now.mono + SEC(1), true);
	before = wg_counters(l.s[0].dev)->sent_datagrams;
	live_run(&l, l.now.mono + SEC(100), true);
	CHECK_INT(wg_counters(l.s[0].dev)->sent_datagrams - before, ==, 4);
	live_close(&l);
}

static void keys_are_forgotten_after_nine_minutes(void **state)
{
	struct live l;

	live_open(&l);
	live_ping(&l, 0);
	live_run(&l, l.now.mono + SEC(541), true);
	CHECK_TRUE(
		!l.s[0].peer->session[SESSION_CURRENT] && !l.s[1].peer->session[SESSION_CURRENT]);
	CHECK_INT(l.s[0].dev->indices.n_items, ==, 0);
	live_close(&l);
}

static void staged_packets_are_bounded(void **state)
{
	struct live l;
	uint8_t pkt[20] = { 0x45, 0, 0, 20 };

	live_open(&l);
	for (int i = 0; i < 2 * WG_STAGED_MAX; i++)
		send_plain(&l.s[0], pkt, sizeof(pkt), l.now);
	CHECK_INT(l.s[0].peer->n_staged, ==, WG_STAGED_MAX);
	CHECK_INT(wg_counters(l.s[0].dev)->staged_dropped, ==, WG_STAGED_MAX);
	live_close(&l);
}

/* Both have a packet for the other at the same moment. */
static void initiations_that_cross_both_complete_at_once(void **state)
{
	uint8_t pkt[2][20] = { { 0x45, 0, 0, 20, [8] = 64, [12] = 10, 0, 0, 1, 10, 0, 0, 2 },
		{ 0x45, 0, 0, 20, [8] = 64, [12] = 10, 0, 0, 2, 10, 0, 0, 1 } };
	struct live l;

	live_open(&l);
	for (int i = 0; i < 2; i++)
		send_plain(&l.s[i], pkt[i], sizeof(pkt[i]), l.now);
	CHECK_INT(l.s[0].keep.n_dg, ==, 1);
	CHECK_INT(l.s[1].keep.n_dg, ==, 1);
	live_exchange(&l, true);
	for (int i = 0; i < 2; i++) {
		CHECK_INT(l.s[i].keep.n_pkt, ==, 1);
		CHECK_MEM(l.s[i].keep.pkt[0], pkt[1 - i], 20);
	}
	live_ping(&l, 0);
	live_ping(&l, 1);
	CHECK_INT(l.s[0].keep.n_pkt, ==, 2);
	CHECK_INT(l.s[1].keep.n_pkt, ==, 2);
	live_close(&l);
}

/* Each then has a session that it began itself. The next handshake is of one of them only. */
static void sessions_that_crossed_are_renewed_one_after_the_other(void **state)
{
	uint8_t pkt[2][20] = { { 0x45, 0, 0, 20, [8] = 64, [12] = 10, 0, 0, 1, 10, 0, 0, 2 },
		{ 0x45, 0, 0, 20, [8] = 64, [12] = 10, 0, 0, 2, 10, 0, 0, 1 } };
	struct live l;
	unsigned initiations = 0;

	live_open(&l);
	for (int i = 0; i < 2; i++)
		send_plain(&l.s[i], pkt[i], sizeof(pkt[i]), l.now);
	live_exchange(&l, true);
	CHECK_TRUE(l.s[0].peer->session[SESSION_CURRENT]->initiator &&
		   l.s[1].peer->session[SESSION_CURRENT]->initiator);
	l.now.mono += REKEY_AFTER_TIME;
	l.now.wall += REKEY_AFTER_TIME / MSEC(1);
	for (int i = 0; i < 2; i++) {
		send_plain(&l.s[i], pkt[i], sizeof(pkt[i]), l.now);
		for (size_t k = 0; k < l.s[i].keep.n_dg; k++)
			initiations += wgmsg_type(l.s[i].keep.dg[k], l.s[i].keep.dg_len[k]) ==
				       WGMSG_INITIATION;
	}
	CHECK_INT(initiations, ==, 1);
	/* What is under way while the handshake is arrives all the same. */
	l.s[0].keep.n_pkt = l.s[1].keep.n_pkt = 0;
	live_exchange(&l, true);
	CHECK_INT(l.s[0].keep.n_pkt, ==, 1);
	CHECK_INT(l.s[1].keep.n_pkt, ==, 1);
	CHECK_INT(l.s[0].peer->session[SESSION_CURRENT]->initiator +
			  l.s[1].peer->session[SESSION_CURRENT]->initiator,
		==, 1);
	live_close(&l);
}

static void replayed_packet_is_no_sign_of_life(void **state)
{
	struct live l;
	uint8_t copy[2048];
	size_t n;
	mono_ns before;

	live_open(&l);
	live_ping(&l, 0);
	l.s[0].keep.n_dg = 0;
	send_plain(&l.s[0], (uint8_t[20]){ 0x45, 0, 0, 20, [12] = 10, 0, 0, 1, 10, 0, 0, 2 }, 20,
		l.now);
	n = l.s[0].keep.dg_len[0];
	memcpy(copy, l.s[0].keep.dg[0], n);
	live_exchange(&l, true);
	live_ping(&l, 1); /* the other side now waits for an answer */
	before = l.s[1].peer->timer[TIMER_NEW_HANDSHAKE];
	CHECK_TRUE(before != MONO_NEVER);
	feed(&l.s[1], copy, n, l.now);
	CHECK_INT(l.s[1].peer->timer[TIMER_NEW_HANDSHAKE], ==, before);
	CHECK_INT(wg_counters(l.s[1].dev)->replay, ==, 1);
	live_close(&l);
}

static void new_identity_shakes_hands_at_once(void **state)
{
	struct secret_node other = { { 24, [31] = 64 } };
	struct live l;

	live_open(&l);
	live_ping(&l, 0);
	l.now.mono += SEC(1);
	CHECK_INT(wg_set_private(l.s[0].dev, &other, l.now.mono), ==, 0);
	wg_start_handshake(l.s[0].dev, l.s[0].peer, l.now);
	CHECK_INT(l.s[0].keep.n_dg, ==, 1);
	live_close(&l);
}

/* The owner holds the pointer: only he frees the peer. */
static void identity_of_a_peer_is_refused_and_all_stays(void **state)
{
	static const uint8_t own[KEY_LEN] = { 8, [31] = 64 };
	struct secret_node other = { { 16, [31] = 64 } };
	struct node_pub before;
	struct live l;

	live_open(&l);
	live_ping(&l, 0);
	before = *wg_public(l.s[0].dev);
	CHECK_INT(wg_set_private(l.s[0].dev, &other, l.now.mono), ==, -EEXIST);
	CHECK_TRUE(wg_peer_find(l.s[0].dev, wg_public(l.s[1].dev)) == l.s[0].peer);
	CHECK_MEM(wg_public(l.s[0].dev), &before, sizeof(before));
	CHECK_MEM(l.s[0].dev->self.private, own, KEY_LEN);
	l.s[1].keep.n_pkt = 0;
	live_ping(&l, 0); /* the session goes on */
	CHECK_INT(l.s[1].keep.n_pkt, ==, 1);
	wg_peer_remove(l.s[0].dev, l.s[0].peer);
	CHECK_INT(wg_set_private(l.s[0].dev, &other, l.now.mono), ==, 0);
	live_close(&l);
}

static void session_that_is_held_outlives_its_peer(void **state)
{
	struct wg_session *k;
	struct live l;
	uint64_t first;

	live_open(&l);
	live_ping(&l, 0);
	k = wg_session_ref(l.s[0].peer->session[SESSION_CURRENT]);
	wg_peer_remove(l.s[0].dev, l.s[0].peer);
	CHECK_TRUE(!k->index);
	CHECK_TRUE(wg_session_reserve(k, 3, &first));
	CHECK_INT(wg_session_sent(k), ==, first + 3);
	wg_session_unref(k);
	live_close(&l);
}

static void used_up_session_gives_no_counter_and_a_handshake_begins(void **state)
{
	struct wg_session *k;
	struct live l;
	uint64_t first;

	live_open(&l);
	live_ping(&l, 0);
	k = l.s[0].peer->session[SESSION_CURRENT];
	atomic_store(&k->send_counter, REJECT_AFTER_MESSAGES - 2);
	CHECK_TRUE(!wg_session_reserve(k, 3, &first));
	CHECK_TRUE(wg_session_reserve(k, 2, &first));
	CHECK_TRUE(first == REJECT_AFTER_MESSAGES - 2);
	for (int i = 0; i < 1000; i++)
		CHECK_TRUE(!wg_session_reserve(k, 1, &first));
	l.now.mono += SEC(6);
	l.s[1].keep.n_pkt = 0;
	live_ping(&l, 0);
	CHECK_TRUE(l.s[0].peer->session[SESSION_CURRENT] != k);
	CHECK_INT(l.s[1].keep.n_pkt, ==, 1);
	live_close(&l);
}

/* Counters are given once and taken once, whichever threads ask. */
enum { THREADS = 4, ROUNDS = 2000, BATCH = 16, COUNTERS = THREADS * ROUNDS * BATCH };

struct thread_case {
	struct wg_session *k;
	uint8_t *given;          /* by counter */
	atomic_uint *n_accepted; /* of the recent counters, which every thread offers */
	bool twice;
};

static void *reserve_counters(void *ctx)
{
	struct thread_case *t = ctx;
	uint64_t first;

	for (int i = 0; i < ROUNDS; i++) {
		if (!wg_session_reserve(t->k, BATCH, &first))
			return NULL;
		for (uint64_t c = first; c < first + BATCH; c++)
			t->twice |= t->given[c]++; /* nobody else writes there */
	}
	return NULL;
}

static void *accept_counters(void *ctx)
{
	struct thread_case *t = ctx;
	struct chapoly_job jobs[BATCH];
	bool fresh[BATCH];

	/* Less than a window in all: none is too old, however far behind the thread is. */
	for (uint64_t c = 0; c < REPLAY_WINDOW / 2; c += BATCH) {
		for (uint64_t i = 0; i < BATCH; i++)
			jobs[i] = (struct chapoly_job){ .counter = c + i, .ok = true };
		wg_replay_accept(&t->k->replay, jobs, BATCH, REJECT_AFTER_MESSAGES, fresh);
		for (size_t i = 0; i < BATCH; i++)
			atomic_fetch_add(&t->n_accepted[c + i], fresh[i]);
	}
	return NULL;
}

static void counters_and_windows_may_be_used_by_many_threads(void **state)
{
	static struct wg_session k;
	static uint8_t given[COUNTERS];
	static atomic_uint n_accepted[REPLAY_WINDOW];
	struct thread_case t[THREADS];
	pthread_t id[THREADS];

	wg_replay_init(&k.replay);
	for (int pass = 0; pass < 2; pass++) {
		for (int i = 0; i < THREADS; i++) {
			t[i] = (struct thread_case){ &k, given, n_accepted, false };
			CHECK_INT(pthread_create(&id[i], NULL,
					  pass ? accept_counters : reserve_counters, &t[i]),
				==, 0);
		}
		for (int i = 0; i < THREADS; i++) {
			CHECK_INT(pthread_join(id[i], NULL), ==, 0);
			CHECK_TRUE(!t[i].twice);
		}
	}
	CHECK_INT(wg_session_sent(&k), ==, COUNTERS);
	for (size_t c = 0; c < COUNTERS; c++)
		CHECK_INT(given[c], ==, 1);
	for (size_t c = 0; c < REPLAY_WINDOW / 2 / BATCH * BATCH; c++)
		CHECK_INT(atomic_load(&n_accepted[c]), ==, 1);
	wg_replay_fini(&k.replay);
}

static void lost_initiation_is_repeated_at_once_when_the_owner_asks(void **state)
{
	struct live l;

	live_open(&l);
	wg_start_handshake(l.s[0].dev, l.s[0].peer, l.now);
	live_exchange(&l, false);
	l.now.mono += MSEC(99);
	wg_retry_handshake(l.s[0].dev, l.s[0].peer, l.now);
	CHECK_INT(l.s[0].keep.n_dg, ==, 0);
	l.now.mono += MSEC(1);
	wg_start_handshake(l.s[0].dev, l.s[0].peer, l.now); /* waits for 5 s */
	CHECK_INT(l.s[0].keep.n_dg, ==, 0);
	wg_retry_handshake(l.s[0].dev, l.s[0].peer, l.now);
	CHECK_INT(l.s[0].keep.n_dg, ==, 1);
	live_exchange(&l, true);
	CHECK_INT(l.s[0].keep.sessions, ==, 1);
	l.now.mono += SEC(1);
	wg_retry_handshake(l.s[0].dev, l.s[0].peer, l.now); /* there is a session */
	CHECK_INT(l.s[0].keep.n_dg, ==, 0);
	live_close(&l);
}

/* The line is longer than the owner's patience: the answer to the first still counts. */
static void initiation_that_the_owner_repeats_is_the_same_while_its_answer_may_come(void **state)
{
	struct live l;
	uint8_t first[148];

	live_open(&l);
	wg_start_handshake(l.s[0].dev, l.s[0].peer, l.now);
	CHECK_INT(l.s[0].keep.dg_len[0], ==, sizeof(first));
	memcpy(first, l.s[0].keep.dg[0], sizeof(first));
	l.s[0].keep.n_dg = 0;
	l.now.mono += MSEC(200);
	wg_retry_handshake(l.s[0].dev, l.s[0].peer, l.now);
	CHECK_INT(l.s[0].keep.n_dg, ==, 1);
	CHECK_MEM(l.s[0].keep.dg[0], first, sizeof(first));
	l.s[0].keep.n_dg = 0;
	feed(&l.s[1], first, sizeof(first), l.now); /* it arrives only now */
	live_exchange(&l, true);
	CHECK_INT(l.s[0].keep.sessions, ==, 1);
	live_close(&l);

	live_open(&l);
	wg_start_handshake(l.s[0].dev, l.s[0].peer, l.now);
	l.s[0].keep.n_dg = 0;
	l.now.mono += MSEC(500);
	wg_retry_handshake(l.s[0].dev, l.s[0].peer, l.now);
	CHECK_INT(l.s[0].keep.n_dg, ==, 1);
	CHECK_TRUE(memcmp(l.s[0].keep.dg[0], first, sizeof(first)) != 0);
	live_exchange(&l, true);
	CHECK_INT(l.s[0].keep.sessions, ==, 1);
	live_close(&l);
}

static void data_of_a_session_from_before_a_restart_is_told(void **state)
{
	struct live l, after;

	live_open(&l);
	live_open(&after);
	live_ping(&l, 0);
	l.s[0].keep.n_dg = 0;
	send_plain(&l.s[0], (uint8_t[20]){ 0x45, 0, 0, 20, [12] = 10, 0, 0, 1, 10, 0, 0, 2 }, 20,
		l.now);
	CHECK_INT(l.s[0].keep.n_dg, ==, 1);
	feed(&after.s[1], l.s[0].keep.dg[0], l.s[0].keep.dg_len[0], l.now);
	CHECK_INT(after.s[1].keep.no_session, ==, 1);
	live_close(&after);
	live_close(&l);
}

/* The trie against a list that is searched from end to end. */
static void longest_prefix_agrees_with_a_naive_search(void **state)
{
	enum { N = 300 };
	struct ipprefix list[N];
	int owner[N];
	static struct allowedips_owner peers[8];
	struct allowedips t = { 0 };
	struct rng_seeded r;
	size_t n = 0;

	rng_seeded_init(&r, 8);
	for (int i = 0; i < 8; i++)
		wg_allowedips_owner_init(&peers[i]);
	for (int step = 0; step < 20000; step++) {
		struct ipprefix p = { .ip = { .family = rng_below(&r.rng, 2) ? 4 : 6 } };
		size_t k, best = N;
		void *got;

		p.ip.b[0] = (uint8_t)rng_below(&r.rng, 4);
		p.ip.b[1] = (uint8_t)rng_below(&r.rng, 4);
		p.ip.b[3] = (uint8_t)rng_below(&r.rng, 4);
		p.bits = (uint8_t)rng_below(&r.rng, ipaddr_bits(p.ip) + 1);
		p = ipprefix_masked(p);
		for (k = 0; k < n && !ipprefix_eq(list[k], p); k++)
			;
		if (rng_below(&r.rng, 2) && (k < n || n < N)) {
			list[k] = p;
			owner[k] = (int)rng_below(&r.rng, 8);
			n += k == n;
			CHECK_INT(wg_allowedips_set(&t, p, &peers[owner[k]]), ==, 0);
		} else if (k < n) {
			wg_allowedips_remove(&t, p, &peers[owner[k]]);
			list[k] = list[--n];
			owner[k] = owner[n];
		}
		CHECK_INT(t.n, ==, n);
		p.ip.b[2] = (uint8_t)rng_below(&r.rng, 256);
		for (k = 0; k < n; k++)
			if (ipprefix_contains(list[k], p.ip) &&
				(best == N || list[k].bits > list[best].bits))
				best = k;
		got = p.ip.family == 4 ? wg_allowedips_find4(&t, p.ip.b)
				       : wg_allowedips_find6(&t, p.ip.b);
		CHECK_TRUE(got == (best == N ? NULL : &peers[owner[best]]));
	}
	for (int i = 0; i < 8; i++)
		wg_allowedips_remove_all(&t, &peers[i]);
	CHECK_INT(t.n, ==, 0);
	CHECK_TRUE(!t.root4 && !t.root6);
	wg_allowedips_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_sessions_are_replayed_byte_for_byte),
		cmocka_unit_test(initiations_are_answered_as_recorded),
		cmocka_unit_test(cookies_are_asked_for_under_load_and_honoured),
		cmocka_unit_test(recorded_cookie_session_is_replayed),
		cmocka_unit_test(replay_window_gives_the_recorded_verdicts),
		cmocka_unit_test(session_is_renewed_before_it_expires_and_no_packet_is_lost),
		cmocka_unit_test(initiator_gives_up_after_90_seconds_of_silence),
		cmocka_unit_test(idle_receiver_answers_data_with_one_keepalive),
		cmocka_unit_test(persistent_keepalive_keeps_its_interval),
		cmocka_unit_test(keys_are_forgotten_after_nine_minutes),
		cmocka_unit_test(staged_packets_are_bounded),
		cmocka_unit_test(initiations_that_cross_both_complete_at_once),
		cmocka_unit_test(sessions_that_crossed_are_renewed_one_after_the_other),
		cmocka_unit_test(replayed_packet_is_no_sign_of_life),
		cmocka_unit_test(new_identity_shakes_hands_at_once),
		cmocka_unit_test(identity_of_a_peer_is_refused_and_all_stays),
		cmocka_unit_test(session_that_is_held_outlives_its_peer),
		cmocka_unit_test(used_up_session_gives_no_counter_and_a_handshake_begins),
		cmocka_unit_test(counters_and_windows_may_be_used_by_many_threads),
		cmocka_unit_test(lost_initiation_is_repeated_at_once_when_the_owner_asks),
		cmocka_unit_test(
			initiation_that_the_owner_repeats_is_the_same_while_its_answer_may_come),
		cmocka_unit_test(data_of_a_session_from_before_a_restart_is_told),
		cmocka_unit_test(longest_prefix_agrees_with_a_naive_search),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
