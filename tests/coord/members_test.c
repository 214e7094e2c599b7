/* What a member says of itself costs nobody else the map: hostile documents from a seed, what an older hub has stored, and the bounds. */
#include "base/text/plain.h"
#include "proto/tailcfg/clean.h"
#include "testlib/check.h"
#include "tests/coord/rig.h"
#include "tests/hostinfo/hostinfo.h"

#include <jansson.h>
#include <stdlib.h>

enum { DOCUMENTS = 4000, LISTENER = 0, LIAR = 1, BYSTANDER = 2 };

/* Every text of it can be printed, and no member is there twice: jansson reads strictly, and is not ours. */
static void check_texts(const json_t *v)
{
	const char *key;
	json_t *item;
	size_t i;

	if (json_is_string(v))
		CHECK_TRUE(text_is_plain(json_string_value(v), json_string_length(v)));
	json_object_foreach((json_t *)v, key, item)
	{
		CHECK_TRUE(text_is_plain(key, strlen(key)));
		check_texts(item);
	}
	json_array_foreach(v, i, item) check_texts(item);
}

/* The listener has a map of all, each with all that it needs, and its last message is one for every reader. */
static void check_map(const struct rig *w)
{
	const struct device *d = &w->devices[LISTENER];
	json_t *doc = json_loads(d->frame, JSON_REJECT_DUPLICATES, NULL);

	CHECK_TRUE(doc);
	check_texts(doc);
	json_decref(doc);
	CHECK_INT(netmap_n_peers(d->map), ==, 2);
	for (size_t i = LIAR; i <= BYSTANDER; i++) {
		const struct tc_node *n = netmap_peer(d->map, node_of(w, &w->devices[i])->id);

		CHECK_TRUE(n && n->hostinfo && n->addresses.n == 2 &&
			   n->endpoints.n <= TC_ENDPOINTS_MAX);
	}
}

static void check_size(const struct rig *w)
{
	const struct tc_node *n =
		netmap_peer(w->devices[LISTENER].map, node_of(w, &w->devices[LIAR])->id);
	struct buf b;

	buf_init(&b, 1 << 20);
	CHECK_INT(json_encode(&tc_hostinfo_type, n->hostinfo, &b), ==, 0);
	CHECK_INT(buf_len(&b), <=, TC_PEER_HOSTINFO_MAX);
	buf_fini(&b);
}

static void three_devices(struct rig *w)
{
	rig_new(w, 8);
	for (size_t i = 0; i < 3; i++) {
		join(w, &w->devices[i], false);
		listen_to_map(w, &w->devices[i]);
	}
	settle(w);
}

/* The status of the answer. */
static int say(struct rig *w, struct device *d, const char *words, size_t len)
{
	char key[KEY_TEXT_MAX];
	struct map_session *none;
	struct buf b;

	buf_init(&b, 1 << 24);
	CHECK_INT(buf_printf(&b, "{\"Version\":113,\"NodeKey\":\"%s\",\"OmitPeers\":true,",
			  key_format(KEY_NODE, d->key.b, key)),
		==, 0);
	CHECK_INT(buf_append(&b, words, len), ==, 0);
	CHECK_INT(buf_append_str(&b, "}"), ==, 0);
	CHECK_INT(coord_map(w->tailnet, &d->machine, buf_view(&b), d, w->now, &none), ==, 1);
	buf_fini(&b);
	return answered;
}

static void say_text(struct rig *w, const char *words)
{
	CHECK_INT(say(w, &w->devices[LIAR], words, strlen(words)), ==, 200);
	pass(w, SEC(1));
}

static void check_refused(struct rig *w, const char *words)
{
	CHECK_INT(say(w, &w->devices[LIAR], words, strlen(words)), ==, 400);
}

static const struct tc_hostinfo *seen(const struct rig *w)
{
	return netmap_peer(w->devices[LISTENER].map, node_of(w, &w->devices[LIAR])->id)->hostinfo;
}

static void hostile_documents_break_nobodys_map(void **state)
{
	struct rng_seeded rng;
	struct coord_stats stats;
	size_t taken = 0;
	struct rig w;
	struct buf b;

	(void)state;
	rng_seeded_init(&rng, 20);
	three_devices(&w);
	buf_init(&b, 1 << 24);
	for (size_t i = 0; i < DOCUMENTS; i++) {
		CHECK_ROW("document %zu", i);
		buf_clear(&b);
		CHECK_INT(hostile_hostinfo(&rng.rng, i % 2, &b), ==, 0);
		taken += say(&w, &w.devices[LIAR], (const char *)buf_data(&b), buf_len(&b)) == 200;
		turn(&w);
		if (i % 50 == 0)
			pass(&w, SEC(30)); /* so that all is told */
		check_map(&w);
		check_size(&w);
	}
	CHECK_INT(taken, >=, DOCUMENTS / 2); /* who is sane stays in, whatever it says */
	coord_stats(w.tailnet, &stats);
	CHECK_TRUE(stats.texts_cleaned && stats.parts_left_out);
	CHECK_INT(stats.unreadable, ==, 0);
	/* And after a restart. */
	for (size_t i = 0; i < DEVICES; i++)
		hang_up(&w, &w.devices[i]);
	CHECK_INT(coord_turn_end(w.tailnet, w.now), ==, 0);
	coord_free(w.tailnet);
	rig_start(&w);
	for (size_t i = 0; i < 3; i++)
		listen_to_map(&w, &w.devices[i]);
	settle(&w);
	check_map(&w);
	buf_fini(&b);
	rig_free(&w);
}

static void each_hostile_document_may_also_come_with_a_registration(void **state)
{
	struct rng_seeded rng;
	struct rig w;
	struct buf b;

	(void)state;
	rng_seeded_init(&rng, 21);
	three_devices(&w);
	buf_init(&b, 1 << 24);
	for (size_t i = 0; i < DOCUMENTS / 4; i++) {
		struct device *d = &w.devices[LIAR];
		char key[KEY_TEXT_MAX];

		CHECK_ROW("document %zu", i);
		rng_fill(&rng.rng, d->key.b, KEY_LEN);
		buf_clear(&b);
		CHECK_INT(
			buf_printf(&b,
				"{\"Version\":113,\"NodeKey\":\"%s\",\"Auth\":{\"AuthKey\":\"%s\"},",
				key_format(KEY_NODE, d->key.b, key), w.auth_keys[1]),
			==, 0);
		CHECK_INT(hostile_hostinfo(&rng.rng, i % 2, &b), ==, 0);
		CHECK_INT(buf_append_str(&b, "}"), ==, 0);
		coord_register(w.tailnet, &d->machine, buf_view(&b), d, w.now);
		CHECK_INT(coord_turn_end(w.tailnet, w.now), ==, 0);
		if (!node_of(&w, d))
			join(&w, d, true); /* it was refused: in again */
		pass(&w, SEC(3));
		check_map(&w);
		check_size(&w);
	}
	buf_fini(&b);
	rig_free(&w);
}

/* What others need of an honest device is there, and nothing else. */
static void what_peers_need_reaches_them(void **state)
{
	const struct tc_hostinfo *h;
	struct rig w;

	(void)state;
	three_devices(&w);
	say_text(&w,
		"\"Hostinfo\":{\"Hostname\":\"Bob's \xf0\x9f\x92\xbb\",\"OS\":\"linux\",\"OSVersion\":\"6.1\",\"BackendLogID\":\"ab\","
		"\"Services\":[{\"Proto\":\"tcp\",\"Port\":22,\"Description\":\"sshd\"},{\"Proto\":\"peerapi4\",\"Port\":1},"
		"{\"Proto\":\"peerapi4\",\"Port\":4321},{\"Proto\":\"peerapi-dns-proxy\",\"Port\":1}],"
		"\"sshHostKeys\":[\"ssh-ed25519 AAAAC3Nz\"],\"Location\":{\"Country\":\"Germany\",\"CountryCode\":\"DE\",\"City\":\"Berlin\","
		"\"CityCode\":\"BER\",\"Latitude\":52.5,\"Longitude\":13.4,\"Priority\":100},\"NetInfo\":{\"PreferredDERP\":900}}");
	h = seen(&w);
	CHECK_STR(h->hostname, "Bob's \xf0\x9f\x92\xbb");
	CHECK_STR(h->os, "linux");
	CHECK_TRUE(!h->os_version && !h->backend_log_id && !h->netinfo);
	CHECK_INT(h->services.n, ==, 2);
	CHECK_INT(JSON_AT(h->services, struct tc_service, 1)->port, ==, 4321);
	CHECK_STR(*JSON_AT(h->ssh_host_keys, const char *, 0), "ssh-ed25519 AAAAC3Nz");
	CHECK_STR(h->location->city_code, "BER");
	CHECK_INT(h->location->priority, ==, 100);
	CHECK_INT(
		netmap_peer(w.devices[LISTENER].map, node_of(&w, &w.devices[LIAR])->id)->home_derp,
		==, 900);
	/* Each of these went to everybody, who then had no map. */
	say_text(&w,
		"\"Hostinfo\":{\"Hostname\":\"box\",\"Location\":{\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]}}");
	CHECK_TRUE(seen(&w)->location && !seen(&w)->location->country);
	say_text(&w,
		"\"Hostinfo\":{\"Hostname\":\"a\\u202eb\\u001b\",\"OS\":\"\\u001b[31mlinux\\u2066\"}");
	CHECK_STR(seen(&w)->os, "[31mlinux");
	check_refused(&w, "\"Hostinfo\":{\"Location\":{\"x\":\"\\q\"}}");
	check_refused(&w, "\"Hostinfo\":{\"Services\":[{\"Proto\":\"tcp\",\"Port\":70000}]}");
	check_refused(&w, "\"Hostinfo\":{\"NetInfo\":{\"PreferredDERP\":2147483648}}");
	rig_free(&w);
}

static int load_nothing(void *ctx, int64_t id, struct view doc)
{
	struct buf *b = ctx;

	(void)id;
	buf_clear(b);
	return buf_append(b, doc.p, doc.len);
}

/* Puts these words in the place of what the liar's stored document ends with: its Hostinfo. */
static void store_instead(struct rig *w, const char *words)
{
	struct coord_store *s = store_mem_store(w->store);
	int64_t id = node_of(w, &w->devices[LIAR])->id;
	const char *host;
	struct buf b, c;

	buf_init(&b, 1 << 20);
	buf_init(&c, 1 << 20);
	CHECK_INT(json_encode(&coord_node_doc_type, node_of(w, &w->devices[LIAR]), &c), ==, 0);
	host = strstr(buf_cstr(&c), "\"hostinfo\"");
	CHECK_TRUE(host);
	CHECK_INT(buf_append(&b, buf_data(&c), (size_t)(host - (const char *)buf_data(&c))), ==, 0);
	CHECK_INT(buf_append_str(&b, words), ==, 0);
	CHECK_INT(coord_store_note(s, COORD_NODE, id, buf_view(&b)), ==, 0);
	s->ops->commit(s);
	buf_fini(&b);
	buf_fini(&c);
}

static void what_an_older_hub_stored_is_cleaned(void **state)
{
	static const char *const stored[] = {
		"\"hostinfo\":{\"OS\":\"linux\",\"Location\":{\"a\":\"\\q\"}}}",
		"\"hostinfo\":{\"OS\":\"linux\",\"Services\":[{\"Proto\":\"peerapi4\",\"Port\":70000}]}}",
		"\"hostinfo\":{\"OS\":\"\\u001b[2Jlinux\\u202e\",\"Hostname\":\"\\u2066x\"}}",
		"\"hostinfo\":{\"Location\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":"
		"{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}",
		"\"homeDERP\":9223372036854775807,\"hostinfo\":{}}",
		"\"capVersion\":-5,\"hostinfo\":{\"sshHostKeys\":[\"ssh-rsa A\\n* ssh-rsa B\"]}}",
	};
	struct coord_store *s;
	struct rig w;
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	for (size_t i = 0; i < ARRAY_LEN(stored); i++) {
		CHECK_ROW("document %zu", i);
		three_devices(&w);
		store_instead(&w, stored[i]);
		for (size_t k = 0; k < DEVICES; k++)
			hang_up(&w, &w.devices[k]);
		coord_free(w.tailnet);
		rig_start(&w);
		listen_to_map(&w, &w.devices[LISTENER]);
		settle(&w);
		check_map(&w);
		/* It is clean on the disk, too. */
		s = store_mem_store(w.store);
		CHECK_INT(s->ops->load(s, COORD_NODE, load_nothing, &b), ==, 0);
		CHECK_TRUE(!strstr(buf_cstr(&b), "\\u001b") && !strstr(buf_cstr(&b), "70000") &&
			   !strstr(buf_cstr(&b), "\\q"));
		rig_free(&w);
	}
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_peers_need_reaches_them),
		cmocka_unit_test(hostile_documents_break_nobodys_map),
		cmocka_unit_test(each_hostile_document_may_also_come_with_a_registration),
		cmocka_unit_test(what_an_older_hub_stored_is_cleaned),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
