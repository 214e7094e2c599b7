/*
 * What the hub's maps have to say and how, rule by rule: the messages themselves are looked at, because a netmap of ours
 * forgives what another client does not. The numbers are those of docs/protocol/control.md.
 */
#include "testlib/check.h"
#include "testlib/vectors.h"
#include "tests/coord/rig.h"

#include <errno.h>
#include <stdlib.h>

static json_t *frame_of(const struct device *d)
{
	json_t *j = d->frame ? json_loads(d->frame, 0, NULL) : NULL;

	CHECK_TRUE(j);
	return j;
}

static bool has(const json_t *o, const char *key)
{
	return json_object_get(o, key) != NULL;
}

static const char *text_at(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* Of the list in the device's last message; NULL: not there. */
static json_t *entry(json_t *frame, const char *list, const char *id_key, int64_t id)
{
	size_t i;
	json_t *v;

	json_array_foreach(json_object_get(frame, list), i,
		v) if (json_integer_value(json_object_get(v, id_key)) == id) return v;
	return NULL;
}

static int64_t id_of(const struct rig *w, size_t i)
{
	return node_of(w, &w->devices[i])->id;
}

static void start(struct rig *w, size_t n)
{
	rig_new(w, 7);
	for (size_t i = 0; i < n; i++) {
		join(w, &w->devices[i], false);
		listen_to_map(w, &w->devices[i]);
		settle(w);
	}
}

static void check_seen(json_t *node, bool online)
{
	CHECK_TRUE(node);
	CHECK_INT(json_is_true(json_object_get(node, "Online")), ==, online);
	CHECK_TRUE(*text_at(node, "LastSeen"));
}

static void correction_1_last_seen_is_told_of_online_peers_too_in_nodes_and_patches(void **state)
{
	struct device *d;
	struct rig w;
	json_t *f;

	start(&w, 3);
	d = &w.devices[0];
	f = frame_of(d);
	check_seen(entry(f, "PeersChanged", "ID", id_of(&w, 2)), true); /* that it joined */
	json_decref(f);
	listen_to_map(&w, d);
	settle(&w);
	f = frame_of(d);
	check_seen(entry(f, "Peers", "ID", id_of(&w, 1)), true);
	CHECK_TRUE(!has(json_object_get(f, "Node"), "LastSeen"));
	json_decref(f);
	hang_up(&w, &w.devices[1]);
	pass(&w, COORD_OFFLINE_GRACE + SEC(1));
	f = frame_of(d);
	check_seen(entry(f, "PeersChangedPatch", "NodeID", id_of(&w, 1)), false);
	json_decref(f);
	listen_to_map(&w, &w.devices[1]);
	settle(&w);
	f = frame_of(d);
	check_seen(entry(f, "PeersChangedPatch", "NodeID", id_of(&w, 1)), true);
	json_decref(f);
	rig_free(&w);
}

/* A time that goes back would make a client believe an old message. */
static void correction_1_last_seen_of_a_peer_never_goes_back(void **state)
{
	struct rig w;
	unix_ms last = 0;

	start(&w, 2);
	for (int i = 0; i < 4; i++) {
		const struct tc_node *p = netmap_peer(w.devices[0].map, id_of(&w, 1));

		CHECK_TRUE(p->last_seen && p->last_seen >= last);
		last = p->last_seen;
		if (i % 2)
			listen_to_map(&w, &w.devices[1]);
		else
			hang_up(&w, &w.devices[1]);
		pass(&w, COORD_OFFLINE_GRACE + SEC(1));
	}
	rig_free(&w);
}

static void correction_2_every_approved_exit_node_is_suggested_to_peers(void **state)
{
	static const struct ipprefix any = { .ip = { .family = 4 } };
	struct rig w;
	json_t *f, *caps;

	rig_new(&w, 7);
	w.devices[1].routes = "[\"0.0.0.0/0\",\"::/0\",\"10.0.0.0/24\"]";
	for (size_t i = 0; i < 3; i++) {
		join(&w, &w.devices[i], false);
		listen_to_map(&w, &w.devices[i]);
	}
	settle(&w);
	f = frame_of(&w.devices[0]);
	CHECK_TRUE(!has(json_object_get(entry(f, "Peers", "ID", id_of(&w, 1)), "CapMap"),
		"suggest-exit-node"));
	json_decref(f);
	CHECK_INT(coord_route_approve(w.tailnet, id_of(&w, 1), any, "ann", w.now), ==, 0);
	settle(&w);
	f = frame_of(&w.devices[0]);
	caps = json_object_get(entry(f, "PeersChanged", "ID", id_of(&w, 1)), "CapMap");
	CHECK_TRUE(has(caps, "suggest-exit-node"));
	json_decref(f);
	/* Who has another view of it than all is told, too. */
	CHECK_INT(
		coord_policy_set(w.tailnet,
			VIEW_LIT(
				"{\"acls\":[{\"action\":\"accept\",\"src\":[\"*\"],\"dst\":[\"*:22\"]}]}"),
			"ann", COORD_POLICY_ANY_VERSION, w.now, NULL, NULL, NULL),
		==, 0);
	listen_to_map(&w, &w.devices[0]);
	settle(&w);
	f = frame_of(&w.devices[0]);
	CHECK_TRUE(has(json_object_get(entry(f, "Peers", "ID", id_of(&w, 1)), "CapMap"),
		"suggest-exit-node"));
	CHECK_TRUE(!has(json_object_get(entry(f, "Peers", "ID", id_of(&w, 2)), "CapMap"),
		"suggest-exit-node"));
	json_decref(f);
	rig_free(&w);
}

static bool resolves_subdomains(struct rig *w, const char *list)
{
	json_t *f = frame_of(&w->devices[0]);
	bool yes = has(json_object_get(entry(f, list, "ID", id_of(w, 1)), "CapMap"),
		"dns-subdomain-resolve");

	json_decref(f);
	return yes;
}

/* Those who ask for a name below a device's need to know, not only the device. */
static void correction_7_who_answers_for_all_names_below_its_own_is_told_to_peers(void **state)
{
	static const char policy[] =
		"{\"acls\":[{\"action\":\"accept\",\"src\":[\"*\"],\"dst\":[\"*:*\"]}],"
		"\"nodeAttrs\":[{\"target\":[\"bob@warren.test\"],\"attr\":[\"dns-subdomain-resolve\"]}]}";
	struct rig w;
	json_t *f;

	start(&w, 3); /* the second is bob's */
	CHECK_INT(coord_policy_set(w.tailnet, view_of(policy, strlen(policy)), "ann",
			  COORD_POLICY_ANY_VERSION, w.now, NULL, NULL, NULL),
		==, 0);
	settle(&w);
	CHECK_TRUE(json_map_find(
		&netmap_peer(w.devices[0].map, id_of(&w, 1))->cap_map, "dns-subdomain-resolve"));
	listen_to_map(&w, &w.devices[0]);
	settle(&w);
	CHECK_TRUE(resolves_subdomains(&w, "Peers"));
	f = frame_of(&w.devices[0]);
	CHECK_TRUE(!has(json_object_get(entry(f, "Peers", "ID", id_of(&w, 2)), "CapMap"),
		"dns-subdomain-resolve"));
	json_decref(f);
	CHECK_INT(coord_policy_set(w.tailnet, VIEW_LIT(""), "ann", COORD_POLICY_ANY_VERSION, w.now,
			  NULL, NULL, NULL),
		==, 0);
	settle(&w);
	CHECK_TRUE(!json_map_find(
		&netmap_peer(w.devices[0].map, id_of(&w, 1))->cap_map, "dns-subdomain-resolve"));
	rig_free(&w);
}

static void check_tailnet_id(struct rig *w, const char *id)
{
	json_t *f = frame_of(&w->devices[0]), *p;
	size_t i;

	CHECK_STR(text_at(json_object_get(f, "Node"), "StableTailnetID"), id);
	json_array_foreach(json_object_get(f, "Peers"), i, p)
		CHECK_TRUE(!has(p, "StableTailnetID"));
	json_decref(f);
}

static void v148_the_tailnet_id_is_told_of_self_only_each_time_and_never_changes(void **state)
{
	char id[64];
	struct rig w;

	start(&w, 2);
	listen_to_map(&w, &w.devices[0]);
	settle(&w);
	snprintf(id, sizeof(id), "%s", coord_tailnet_id(w.tailnet));
	CHECK_INT(strlen(id), ==, 16);
	CHECK_TRUE(id[0] == 'T' && !strcmp(id + 11, "CNTRL"));
	check_tailnet_id(&w, id);
	CHECK_INT(coord_node_rename(w.tailnet, id_of(&w, 0), "another", w.now), ==, 0);
	settle(&w);
	check_tailnet_id(&w, id); /* a self node that is sent again has it again */
	/* What is deleted writes the same document: it must not lose it. */
	CHECK_INT(coord_node_delete(w.tailnet, id_of(&w, 1), w.now), ==, 0);
	settle(&w);
	hang_up(&w, &w.devices[0]);
	coord_free(w.tailnet);
	rig_start(&w);
	CHECK_STR(coord_tailnet_id(w.tailnet), id);
	rig_free(&w);
}

/* ---- Rule 5: what kind of request it is ---- */

struct asked {
	struct map_session *poll;
	struct buf got;
	int rc;
};

/* fields: what makes the request, beside key and version. */
static struct asked ask(struct rig *w, size_t i, const char *fields)
{
	struct device
		*d = &w->devices[i],
		*nobody = &w->devices[DEVICES - 1]; /* its `ended` is set, not that of the stream */
	struct asked a = { 0 };
	char key[KEY_TEXT_MAX], body[512];
	size_t had;
	int n;

	n = snprintf(body, sizeof(body), "{\"Version\":113,\"NodeKey\":\"%s\"%s}",
		key_format(KEY_NODE, d->key.b, key), fields);
	buf_init(&a.got, 1 << 20);
	nobody->ended = false;
	a.rc = coord_map(
		w->tailnet, &d->machine, view_of(body, (size_t)n), nobody, w->now, &a.poll);
	CHECK_INT(coord_turn_end(w->tailnet, w->now), ==, 0);
	do {
		had = buf_len(&a.got);
		if (a.poll && !nobody->ended)
			map_session_fill(a.poll, &a.got);
	} while (buf_len(&a.got) > had);
	return a;
}

static bool over(const struct rig *w)
{
	return w->devices[DEVICES - 1].ended;
}

static void done(struct rig *w, struct asked *a)
{
	if (a->poll)
		map_session_close(a->poll, w->now);
	w->devices[DEVICES - 1].ended = false;
	buf_fini(&a->got);
}

static void rule_5_a_request_without_stream_gets_one_whole_map_and_the_end(void **state)
{
	struct rig w;
	struct asked a;
	struct coord_stats before, after;
	json_t *f;

	start(&w, 3);
	coord_stats(w.tailnet, &before);
	a = ask(&w, 0, ",\"Compress\":\"\"");
	CHECK_INT(a.rc, ==, 0);
	CHECK_TRUE(over(&w));
	CHECK_INT(load_le32(buf_data(&a.got)), ==, buf_len(&a.got) - 4); /* exactly one */
	f = json_loadb((const char *)buf_data(&a.got) + 4, buf_len(&a.got) - 4, 0, NULL);
	CHECK_TRUE(f && has(f, "Node") && has(f, "DNSConfig") && has(f, "PacketFilters") &&
		   has(f, "UserProfiles"));
	CHECK_INT(json_array_size(json_object_get(f, "Peers")), ==, 2);
	json_decref(f);
	done(&w, &a);
	/* The stream that is open goes on, and nobody hears of anything. */
	pass(&w, COORD_OFFLINE_GRACE + SEC(1));
	coord_stats(w.tailnet, &after);
	CHECK_INT(after.map_sessions, ==, before.map_sessions);
	CHECK_INT(after.online, ==, before.online);
	CHECK_TRUE(w.devices[0].poll && !w.devices[0].ended);
	CHECK_INT(coord_node_rename(w.tailnet, id_of(&w, 1), "another", w.now), ==, 0);
	settle(&w);
	CHECK_TRUE(strstr(w.devices[0].frame, "another"));
	rig_free(&w);
}

static void rule_5_a_device_that_is_away_stays_away_when_it_asks_for_one_map(void **state)
{
	struct rig w;
	struct asked a;

	start(&w, 2);
	hang_up(&w, &w.devices[0]);
	pass(&w, COORD_OFFLINE_GRACE + SEC(1));
	a = ask(&w, 0, ",\"Compress\":\"zstd\",\"ReadOnly\":true");
	CHECK_TRUE(over(&w) && buf_len(&a.got) > 4);
	CHECK_INT(load_le32(buf_data(&a.got)), ==, buf_len(&a.got) - 4);
	done(&w, &a);
	settle(&w);
	CHECK_INT(node_of(&w, &w.devices[0])->online, ==, JSON_NO);
	rig_free(&w);
}

static void rule_6_a_lite_update_is_taken_and_answered_without_a_body(void **state)
{
	struct rig w;
	struct asked a;

	start(&w, 2);
	answered = 0;
	a = ask(&w, 0, ",\"OmitPeers\":true,\"Endpoints\":[\"192.0.2.7:7\"]");
	CHECK_INT(a.rc, ==, 1);
	CHECK_INT(answered, ==, 200);
	CHECK_STR(answer_text, "");
	done(&w, &a);
	settle(&w);
	CHECK_TRUE(strstr(w.devices[1].frame, "192.0.2.7:7"));
	/* Read-only: nothing is taken. */
	a = ask(&w, 0, ",\"OmitPeers\":true,\"ReadOnly\":true,\"Endpoints\":[\"192.0.2.8:8\"]");
	CHECK_INT(a.rc, ==, 1);
	done(&w, &a);
	settle(&w);
	CHECK_TRUE(!strstr(w.devices[1].frame, "192.0.2.8:8"));
	rig_free(&w);
}

static void without_compression_a_stream_is_plain_text_in_every_message(void **state)
{
	struct rig w;
	struct asked a;

	start(&w, 2);
	a = ask(&w, 0, ",\"Stream\":true");
	CHECK_TRUE(buf_len(&a.got) > 5 && buf_data(&a.got)[4] == '{');
	buf_clear(&a.got);
	hang_up(&w, &w.devices[1]);
	pass(&w, COORD_OFFLINE_GRACE + SEC(1));
	map_session_fill(a.poll, &a.got);
	CHECK_INT(load_le32(buf_data(&a.got)), ==, buf_len(&a.got) - 4);
	CHECK_TRUE(buf_data(&a.got)[4] == '{');
	buf_clear(&a.got);
	pass(&w, COORD_KEEP_ALIVE + SEC(1));
	map_session_fill(a.poll, &a.got);
	CHECK_INT(load_le32(buf_data(&a.got)), ==, buf_len(&a.got) - 4);
	CHECK_TRUE(!memcmp(buf_data(&a.got) + 4, "{\"KeepAlive\":true", 17));
	buf_clear(&a.got);
	CHECK_INT(coord_node_delete(w.tailnet, id_of(&w, 0), w.now), ==, 0);
	CHECK_INT(coord_turn_end(w.tailnet, w.now), ==, 0); /* it is told when it is durable */
	map_session_fill(a.poll, &a.got);
	CHECK_TRUE(buf_data(&a.got)[4] == '{' && over(&w));
	done(&w, &a);
	rig_free(&w);
}

/* ---- What is said by its absence ---- */

static void rule_21_a_device_without_endpoints_says_so(void **state)
{
	struct rig w;
	struct asked a;
	json_t *f, *p;

	start(&w, 2);
	f = frame_of(&w.devices[0]);
	p = json_object_get(entry(f, "PeersChanged", "ID", id_of(&w, 1)), "Endpoints");
	CHECK_TRUE(json_is_array(p) &&
		   json_array_size(p) == 0); /* [], not absent: clients would keep what they know */
	json_decref(f);
	a = ask(&w, 1, ",\"OmitPeers\":true,\"Endpoints\":[\"192.0.2.7:7\"]");
	done(&w, &a);
	settle(&w);
	CHECK_INT(netmap_peer(w.devices[0].map, id_of(&w, 1))->endpoints.n, ==, 1);
	a = ask(&w, 1, ",\"OmitPeers\":true,\"Endpoints\":[]");
	done(&w, &a);
	settle(&w);
	f = frame_of(&w.devices[0]);
	p = json_object_get(entry(f, "PeersChangedPatch", "NodeID", id_of(&w, 1)), "Endpoints");
	CHECK_TRUE(json_is_array(p) && json_array_size(p) == 0);
	json_decref(f);
	CHECK_INT(netmap_peer(w.devices[0].map, id_of(&w, 1))->endpoints.n, ==, 0);
	listen_to_map(&w, &w.devices[0]);
	settle(&w);
	f = frame_of(&w.devices[0]);
	CHECK_TRUE(
		json_is_array(json_object_get(entry(f, "Peers", "ID", id_of(&w, 1)), "Endpoints")));
	json_decref(f);
	rig_free(&w);
}

static void rule_37_each_empty_value_that_has_a_meaning_is_written(void **state)
{
	struct rig w;
	json_t *f, *v;

	start(&w, 2);
	listen_to_map(&w, &w.devices[0]);
	settle(&w);
	f = frame_of(&w.devices[0]);
	v = json_object_get(
		json_object_get(f, "SSHPolicy"), "rules"); /* 34: none, not "as before" */
	CHECK_TRUE(json_is_array(v) && json_array_size(v) == 0);
	CHECK_TRUE(!has(f, "PacketFilter")); /* one way to say it: the named piece, whole */
	json_decref(f);
	/* 31, 32: a filter that lets nobody in is an empty piece. */
	CHECK_INT(coord_policy_set(w.tailnet, VIEW_LIT("{\"acls\":[]}"), "ann",
			  COORD_POLICY_ANY_VERSION, w.now, NULL, NULL, NULL),
		==, 0);
	settle(&w);
	f = frame_of(&w.devices[0]);
	v = json_object_get(json_object_get(f, "PacketFilters"), "base");
	CHECK_TRUE(json_is_array(v) && json_array_size(v) == 0);
	/* 19: the last peer goes by its number; an empty list would change nothing. */
	CHECK_INT(json_array_size(json_object_get(f, "Peers")), ==, 0);
	CHECK_TRUE(json_array_size(json_object_get(f, "PeersRemoved")) > 0);
	CHECK_INT(netmap_n_peers(w.devices[0].map), ==, 0);
	json_decref(f);
	rig_free(&w);
}

static void rule_33_a_device_that_is_released_is_told_that_it_is_healthy_again(void **state)
{
	static const struct ipprefix own = { .ip = { .family = 4, .b = { 10 } }, .bits = 8 };
	struct rig w;
	json_t *f, *v;

	rig_new(&w, 7);
	CHECK_INT(
		coord_protected_prefixes_set(w.tailnet, &own, 1, COORD_PROTECTED_QUARANTINE, w.now),
		==, 0);
	w.devices[0].routes = "[\"10.1.0.0/16\"]";
	join(&w, &w.devices[0], false);
	listen_to_map(&w, &w.devices[0]);
	settle(&w);
	f = frame_of(&w.devices[0]);
	CHECK_INT(json_array_size(json_object_get(f, "Health")), ==, 1);
	json_decref(f);
	w.devices[0].routes = "[]";
	tell_place(&w, &w.devices[0]);
	settle(&w);
	f = frame_of(&w.devices[0]);
	v = json_object_get(f, "Health");
	CHECK_TRUE(json_is_array(v) && json_array_size(v) == 0);
	json_decref(f);
	rig_free(&w);
}

static void rule_9_a_keep_alive_says_nothing_but_the_time(void **state)
{
	struct rig w;
	json_t *f;

	start(&w, 1);
	pass(&w, COORD_KEEP_ALIVE + SEC(1));
	f = frame_of(&w.devices[0]);
	CHECK_TRUE(json_is_true(json_object_get(f, "KeepAlive")) && has(f, "ControlTime"));
	CHECK_INT(json_object_size(f), ==, 2);
	json_decref(f);
	rig_free(&w);
}

/* A disco key that is older than the one that a reader knows would take that away from him (version 144). */
static void v144_a_disco_key_never_goes_back(void **state)
{
	static const char *const hex = "123456789abcdef";
	struct rig w;
	uint8_t last = 0;

	start(&w, 2);
	for (int i = 0; i < 15; i++) {
		char fields[200], key[65];
		struct asked a;

		memset(key, hex[i], 64);
		key[64] = 0;
		snprintf(fields, sizeof(fields), ",\"OmitPeers\":true,\"DiscoKey\":\"discokey:%s\"",
			key);
		a = ask(&w, 1, fields);
		done(&w, &a);
		if (i % 3 == 0)
			listen_to_map(&w, &w.devices[i % 2]);
		if (i % 4 == 0)
			hang_up(&w, &w.devices[1]);
		turn(&w);
		if (i % 5 == 0)
			pass(&w, COORD_OFFLINE_GRACE + SEC(1));
		if (w.devices[0].poll && w.devices[0].map &&
			netmap_peer(w.devices[0].map, id_of(&w, 1))) {
			uint8_t now = netmap_peer(w.devices[0].map, id_of(&w, 1))->disco_key.b[0];

			CHECK_INT(now, >=, last);
			last = now;
		}
	}
	settle(&w);
	CHECK_INT(netmap_peer(w.devices[0].map, id_of(&w, 1))->disco_key.b[0], ==, 0xff);
	rig_free(&w);
}

/* ---- Version 135 ---- */

static bool keeps_its_map(struct rig *w)
{
	json_t *f = frame_of(&w->devices[0]);
	bool yes = has(json_object_get(json_object_get(f, "Node"), "CapMap"), "cache-network-maps");

	json_decref(f);
	return yes;
}

static void v135_devices_that_stay_are_told_to_keep_their_map_unless_the_policy_says_no(
	void **state)
{
	struct rig w;
	struct asked a;

	start(&w, 1); /* which says 113 */
	CHECK_TRUE(!keeps_its_map(&w));
	version = 135;
	listen_to_map(&w, &w.devices[0]);
	settle(&w);
	CHECK_TRUE(keeps_its_map(&w));
	CHECK_INT(
		coord_policy_set(w.tailnet,
			VIEW_LIT(
				"{\"nodeAttrs\":[{\"target\":[\"*\"],\"attr\":[\"disable-cache-network-maps\"]}]}"),
			"ann", COORD_POLICY_ANY_VERSION, w.now, NULL, NULL, NULL),
		==, 0);
	settle(&w);
	CHECK_TRUE(!keeps_its_map(&w));
	CHECK_INT(coord_policy_set(w.tailnet, VIEW_LIT(""), "ann", COORD_POLICY_ANY_VERSION, w.now,
			  NULL, NULL, NULL),
		==, 0);
	settle(&w);
	CHECK_TRUE(keeps_its_map(&w));
	a = ask(&w, 0, ",\"OmitPeers\":true"); /* of an older program: 113 */
	done(&w, &a);
	listen_to_map(&w, &w.devices[0]);
	settle(&w);
	CHECK_TRUE(keeps_its_map(&w));
	version = 113;
	rig_free(&w);
}

static void v135_ephemeral_devices_never_keep_their_map(void **state)
{
	struct coord_key_spec spec = { .reusable = true, .preapproved = true, .ephemeral = true };
	const struct coord_key *key;
	struct rig w;

	rig_new(&w, 7);
	spec.user = w.people[0];
	CHECK_INT(coord_key_create(w.tailnet, &spec, w.now, w.auth_keys[0], &key), ==, 0);
	version = 148;
	join(&w, &w.devices[0], false);
	listen_to_map(&w, &w.devices[0]);
	settle(&w);
	CHECK_TRUE(!keeps_its_map(&w));
	version = 113;
	rig_free(&w);
}

/* ---- Storms ---- */

static void rule_1_3_a_storm_is_shed_with_a_queue_of_times_and_never_a_lite_update(void **state)
{
	struct rig w;
	struct asked a;
	unsigned told[700];
	struct coord_stats stats;

	start(&w, 2);
	accept_rate = 10;
	hang_up(&w, &w.devices[0]);
	hang_up(&w, &w.devices[1]);
	coord_free(w.tailnet);
	rig_start(&w);
	accept_rate = 0;
	for (size_t i = 0; i < 20; i++) { /* two seconds of it at once */
		a = ask(&w, 0, ",\"Stream\":true");
		CHECK_INT(a.rc, ==, 0);
		done(&w, &a);
	}
	for (size_t i = 0; i < 60; i++) {
		a = ask(&w, 0, i % 2 ? ",\"Stream\":true" : "");
		CHECK_INT(a.rc, ==, 1);
		CHECK_INT(answered, ==, 429);
		CHECK_TRUE(strstr(answer_text, "come again"));
		told[i] = answered_later;
		done(&w, &a);
		a = ask(&w, 0, ",\"OmitPeers\":true");
		CHECK_INT(answered, ==, 200);
		done(&w, &a);
	}
	for (size_t i = 0; i < 60; i++) /* ten a second: waiting devices / rate */
		CHECK_INT(told[i], ==, i / 10 + 1);
	coord_stats(w.tailnet, &stats);
	CHECK_INT(stats.shed, ==, 60);
	for (size_t i = 0; i < 5000; i++) {
		a = ask(&w, 0, ",\"Stream\":true");
		CHECK_TRUE(answered_later >= 1 && answered_later <= COORD_RETRY_MAX);
		if (i >= 4300)
			told[i - 4300] = answered_later;
		done(&w, &a);
	}
	/* Beyond what clients believe it is still a spread. */
	for (size_t i = 1; i < 700; i++)
		told[0] = MIN_OF(told[0], told[i]);
	CHECK_TRUE(told[0] >= COORD_RETRY_MAX / 2 && told[0] < COORD_RETRY_MAX / 2 + 20);
	/* Later there is room. */
	w.now.mono += SEC(3);
	a = ask(&w, 0, ",\"Stream\":true");
	CHECK_INT(a.rc, ==, 0);
	done(&w, &a);
	rig_free(&w);
}

static void rule_1_3_registrations_are_shed_too_and_what_they_hold_is_not_lost(void **state)
{
	struct rig w;

	accept_rate = 1;
	rig_new(&w, 7);
	accept_rate = 0;
	join(&w, &w.devices[0], false);
	join(&w, &w.devices[1], false);
	coord_register(w.tailnet, &w.devices[2].machine,
		VIEW_LIT(
			"{\"Version\":148,\"NodeKey\":"
			"\"nodekey:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}"),
		&w.devices[2], w.now);
	CHECK_INT(coord_turn_end(w.tailnet, w.now), ==, 0);
	CHECK_INT(answered, ==, 429);
	CHECK_INT(answered_later, ==, 1);
	w.now.mono += SEC(1);
	join(&w, &w.devices[2], false);
	rig_free(&w);
}

static struct rig *places;

/* The first device's own network, and one for each of the others. */
static struct ipport place_of_device(void *owner)
{
	struct device *d = owner;

	return (struct ipport){ .ip = ipaddr_v4(198, 18, 0, (uint8_t)(1 + (d - places->devices))),
		.port = 1 };
}

static void one_source_that_asks_all_the_time_leaves_room_for_others(void **state)
{
	static const char text[] =
		"{\"Version\":148,\"NodeKey\":\"nodekey:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}";
	struct rig w;
	size_t taken = 0;

	accept_rate = 100;
	request_from = place_of_device;
	places = &w;
	rig_new(&w, 9);
	accept_rate = 0;
	request_from = NULL;
	for (size_t i = 0; i < 400; i++) {
		coord_register(w.tailnet, &w.devices[0].machine, view_of(text, sizeof(text) - 1),
			&w.devices[0], w.now);
		CHECK_INT(coord_turn_end(w.tailnet, w.now), ==, 0);
		taken += answered != 429;
	}
	CHECK_INT(taken, ==, 150); /* two seconds of it, less a quarter */
	for (size_t i = 1; i < 6; i++)
		join(&w, &w.devices[i], false);
	/* It does not come by that room later either; others do. */
	for (size_t i = 0; i < 100; i++) {
		w.now.mono += MSEC(10);
		coord_register(w.tailnet, &w.devices[0].machine, view_of(text, sizeof(text) - 1),
			&w.devices[0], w.now);
		CHECK_INT(coord_turn_end(w.tailnet, w.now), ==, 0);
		coord_register(w.tailnet, &w.devices[0].machine, view_of(text, sizeof(text) - 1),
			&w.devices[0], w.now);
		CHECK_INT(coord_turn_end(w.tailnet, w.now), ==, 0);
	}
	join(&w, &w.devices[6], false);
	rig_free(&w);
}

/* ---- A deleted device ---- */

static void correction_10_a_deleted_device_is_sent_itself_with_an_expired_key_and_then_the_end(
	void **state)
{
	struct device *d;
	struct rig w;
	json_t *f;
	int64_t id;
	char now[TIME_RFC3339_MAX];

	start(&w, 2);
	d = &w.devices[0];
	id = id_of(&w, 0);
	time_format_rfc3339(w.now.wall, now);
	CHECK_INT(coord_node_delete(w.tailnet, id, w.now), ==, 0);
	CHECK_TRUE(!d->ended); /* first the message */
	settle(&w);
	CHECK_TRUE(!d->poll);
	f = frame_of(d);
	CHECK_INT(json_integer_value(json_object_get(json_object_get(f, "Node"), "ID")), ==, id);
	CHECK_TRUE(strcmp(text_at(json_object_get(f, "Node"), "KeyExpiry"), now) < 0);
	json_decref(f);
	rig_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			correction_1_last_seen_is_told_of_online_peers_too_in_nodes_and_patches),
		cmocka_unit_test(correction_1_last_seen_of_a_peer_never_goes_back),
		cmocka_unit_test(correction_2_every_approved_exit_node_is_suggested_to_peers),
		cmocka_unit_test(
			correction_7_who_answers_for_all_names_below_its_own_is_told_to_peers),
		cmocka_unit_test(rule_5_a_request_without_stream_gets_one_whole_map_and_the_end),
		cmocka_unit_test(rule_5_a_device_that_is_away_stays_away_when_it_asks_for_one_map),
		cmocka_unit_test(rule_6_a_lite_update_is_taken_and_answered_without_a_body),
		cmocka_unit_test(without_compression_a_stream_is_plain_text_in_every_message),
		cmocka_unit_test(
			rule_1_3_a_storm_is_shed_with_a_queue_of_times_and_never_a_lite_update),
		cmocka_unit_test(
			rule_1_3_registrations_are_shed_too_and_what_they_hold_is_not_lost),
		cmocka_unit_test(one_source_that_asks_all_the_time_leaves_room_for_others),
		cmocka_unit_test(rule_21_a_device_without_endpoints_says_so),
		cmocka_unit_test(rule_37_each_empty_value_that_has_a_meaning_is_written),
		cmocka_unit_test(
			rule_33_a_device_that_is_released_is_told_that_it_is_healthy_again),
		cmocka_unit_test(rule_9_a_keep_alive_says_nothing_but_the_time),
		cmocka_unit_test(v144_a_disco_key_never_goes_back),
		cmocka_unit_test(
			correction_10_a_deleted_device_is_sent_itself_with_an_expired_key_and_then_the_end),
		cmocka_unit_test(
			v135_devices_that_stay_are_told_to_keep_their_map_unless_the_policy_says_no),
		cmocka_unit_test(v135_ephemeral_devices_never_keep_their_map),
		cmocka_unit_test(
			v148_the_tailnet_id_is_told_of_self_only_each_time_and_never_changes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
