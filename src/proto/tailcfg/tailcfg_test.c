/* Every document that real clients and hubs exchanged is read, and written again with the same content. */
#include "proto/tailcfg/tailcfg.h"
#include "testlib/vectors.h"

#include <stdlib.h>

static char missing[4096]; /* names of fields that we do not model, each once */

static void note_missing(const char *name)
{
	char key[600];

	snprintf(key, sizeof(key), " %s,", name);
	if (!strstr(missing, key) && strlen(missing) + strlen(key) < sizeof(missing))
		strcat(missing, key);
}

static bool is_nothing(const json_t *v)
{
	return json_is_null(v) || json_is_false(v) ||
	       (json_is_string(v) && !json_string_length(v)) ||
	       (json_is_integer(v) && !json_integer_value(v)) ||
	       (json_is_array(v) && !json_array_size(v)) ||
	       (json_is_object(v) && !json_object_size(v));
}

static void same(const char *path, const json_t *want, const json_t *got);

static void same_object(const char *path, const json_t *want, const json_t *got)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)want, key, v)
	{
		json_t *g = json_object_get(got, key);
		char sub[512];

		snprintf(sub, sizeof(sub), "%s.%s", path, key);
		if (g)
			same(sub, v, g);
		else if (!is_nothing(v))
			note_missing(sub);
	}
}

/* Fractions of a second are cut to milliseconds: times are equal if they are equal as our times. */
static bool same_time(const char *a, const char *b)
{
	unix_ms x, y;

	return time_parse_rfc3339(a, strlen(a), &x) == 0 &&
	       time_parse_rfc3339(b, strlen(b), &y) == 0 && x == y;
}

static void same(const char *path, const json_t *want, const json_t *got)
{
	size_t i;
	json_t *v;

	CHECK_ROW("%.200s", path);
	if (json_is_object(want) && json_is_object(got)) {
		same_object(path, want, got);
	} else if (json_is_array(want) && json_is_array(got)) {
		CHECK_INT(json_array_size(want), ==, json_array_size(got));
		json_array_foreach(want, i, v) same(path, v, json_array_get(got, i));
	} else if (json_is_string(want) && json_is_string(got)) {
		CHECK_TRUE(same_time(json_string_value(want), json_string_value(got)) ||
			   !strcmp(json_string_value(want), json_string_value(got)));
	} else if (!is_nothing(want) || !is_nothing(got)) {
		CHECK_TRUE(json_equal(want, got));
	}
}

static void check_file(
	const char *name, const struct json_type *type, void *doc, const char *not_modelled)
{
	char path[512];
	json_t *all, *c;
	size_t i;

	setenv("VECTORS_DIR", FIXTURES_DIR, 1);
	snprintf(path, sizeof(path), "control/%s.jsonl", name);
	all = vectors_load_lines(path);
	missing[0] = 0;
	json_array_foreach(all, i, c)
	{
		char *text = json_dumps(json_object_get(c, "doc"), JSON_COMPACT);
		struct arena a;
		struct err_at at = { 0 };
		struct buf out;
		json_t *again;

		CHECK_ROW("%s %zu, %s", name, i, vec_str(c, "from"));
		arena_init(&a, 64 << 20);
		buf_init(&out, 16 << 20);
		if (json_decode(type, text, strlen(text), doc, &a, &at) < 0)
			check_fail(__FILE__, __LINE__, "column %u: %s", at.column, at.text);
		CHECK_INT(json_encode(type, doc, &out), ==, 0);
		again = json_loadb((const char *)buf_data(&out), buf_len(&out), 0, NULL);
		CHECK_TRUE(again);
		same("", json_object_get(c, "doc"), again);
		json_decref(again);
		buf_fini(&out);
		arena_fini(&a);
		free(text);
	}
	vectors_count(path, "documents", json_array_size(all));
	printf("# skipped: fields of %s that are not modelled:%s\n", name,
		missing[0] ? missing : " none");
	CHECK_STR(missing, not_modelled);
	json_decref(all);
}

static void register_requests(void **state)
{
	struct tc_register_request r;

	check_file("register", &tc_register_request_type, &r, "");
}

static void register_responses(void **state)
{
	struct tc_register_response r;

	check_file("register_response", &tc_register_response_type, &r, "");
}

static void map_requests(void **state)
{
	struct tc_map_request r;

	check_file("map", &tc_map_request_type, &r, "");
}

static void map_responses(void **state)
{
	struct tc_map_response r;

	check_file("map_response", &tc_map_response_type, &r, "");
}

static void tags_have_the_form_of_the_original(void **state)
{
	static const struct {
		const char *tag, *why;
	} rows[] = { { "tag:a", "" }, { "tag:Web-1", "" }, { "web", "tags must start with 'tag:'" },
		{ "", "tags must start with 'tag:'" }, { "tag:", "tag names must not be empty" },
		{ "tag:1web", "tag names must start with a letter, after 'tag:'" },
		{ "tag:-x", "tag names must start with a letter, after 'tag:'" },
		{ "tag:web_1", "tag names can only contain numbers, letters, or dashes" },
		{ "tag:web.prod", "tag names can only contain numbers, letters, or dashes" },
		{ "tag:caf\xc3\xa9", "tag names can only contain numbers, letters, or dashes" },
		{ "tag:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "" },
		{ "tag:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
			"tags can have at most 64 characters" } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err_at at = { 0 };

		CHECK_ROW("%s", rows[i].tag);
		CHECK_INT(tc_check_tag(rows[i].tag, &at) == 0, ==, !*rows[i].why);
		CHECK_STR(at.text, rows[i].why);
	}
}

static void settings_over_a_limit_are_refused_with_the_limit(void **state)
{
	static char name[TC_HOSTNAME_MAX + 2];
	static const char *tags[TC_TAGS_MAX + 1];
	static struct ipprefix routes[TC_ADVERTISED_MAX + 1];
	struct json_list l;
	struct err_at at;

	memset(name, 'n', sizeof(name) - 1);
	CHECK_INT(tc_check_hostname(name + 1, &at), ==, 0);
	CHECK_INT(tc_check_hostname(name, &at), ==, -ERR_TOO_BIG);
	CHECK_STR(at.text, "hostname too long: 256 bytes (max 255)");
	CHECK_INT(tc_check_hostname(NULL, &at) | tc_check_hostname("", &at) |
			  tc_check_hostname("Ann's box", &at),
		==, 0);
	CHECK_INT(tc_check_hostname("a\nb", &at), ==, -ERR_BAD_VALUE);
	CHECK_INT(tc_check_hostname("a\xff", &at), ==, -ERR_BAD_VALUE);
	for (size_t i = 0; i < ARRAY_LEN(tags); i++)
		tags[i] = "tag:a";
	l = json_list_of(tags, TC_TAGS_MAX);
	CHECK_INT(tc_check_tags(&l, &at), ==, 0);
	l.n++;
	CHECK_INT(tc_check_tags(&l, &at), ==, -ERR_TOO_MANY);
	for (size_t i = 0; i < ARRAY_LEN(routes); i++)
		routes[i] =
			(struct ipprefix){ .ip = ipaddr_v4(10, (uint8_t)(i >> 8), (uint8_t)i, 0),
				.bits = 24 };
	l = json_list_of(routes, TC_ADVERTISED_MAX);
	CHECK_INT(tc_check_routes(&l, &at), ==, 0);
	l.n++;
	CHECK_INT(tc_check_routes(&l, &at), ==, -ERR_TOO_MANY);
	CHECK_STR(at.text, "1025 routes are too many; a device can advertise at most 1024");
	routes[0].ip.b[3] = 1;
	l.n = 1;
	CHECK_INT(tc_check_routes(&l, &at), ==, -ERR_BAD_VALUE);
	CHECK_STR(at.text, "route 10.0.0.1/24 has non-address bits set; expected 10.0.0.0/24");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(register_requests),
		cmocka_unit_test(register_responses),
		cmocka_unit_test(map_requests),
		cmocka_unit_test(map_responses),
		cmocka_unit_test(tags_have_the_form_of_the_original),
		cmocka_unit_test(settings_over_a_limit_are_refused_with_the_limit),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
