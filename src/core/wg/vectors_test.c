/* What wireguard-go said in recorded handshakes, cookies and replays, byte for byte. */
#include "core/wg/rig_test.h"

static void side_open(struct side *s, const json_t *c, const char *private)
{
	struct wg_cfg cfg = { .mtu = 1420, .rng = &s->rng.rng };

	memset(s, 0, sizeof(*s));
	s->rng.rng.fill = script_fill;
	vec_hex_exact(c, private, cfg.private.b, KEY_LEN);
	CHECK_INT(wg_new(&s->dev, &cfg), ==, 0);
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
				side_take(&a);
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
	side_take(&a);
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
	side_take(&b);
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
	side_take(&b);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_sessions_are_replayed_byte_for_byte),
		cmocka_unit_test(initiations_are_answered_as_recorded),
		cmocka_unit_test(cookies_are_asked_for_under_load_and_honoured),
		cmocka_unit_test(recorded_cookie_session_is_replayed),
		cmocka_unit_test(replay_window_gives_the_recorded_verdicts),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
