#include "proto/json/json.h"
#include "testlib/check.h"

struct inner {
	int64_t n;
	const char *s;
};

struct doc {
	bool yes;
	uint8_t maybe;
	uint64_t big;
	double real;
	const char *text;
	struct view raw, bytes;
	uint8_t key[KEY_LEN];
	unix_ms when;
	struct ipprefix prefix;
	struct inner in;
	struct inner *ptr;
	struct json_list list;
	struct json_map map;
};

static const struct json_field inner_fields[] = {
	JSON_F(struct inner, n, "N", json_int, JSON_OMIT),
	JSON_F_MAX(struct inner, s, "S", json_str, JSON_OMIT, 5),
	JSON_END,
};
static JSON_OBJECT_TYPE(inner_type, struct inner, inner_fields);
static JSON_POINTER_TYPE(inner_ptr, inner_type);
static JSON_LIST_TYPE(inner_list, inner_type);
static JSON_MAP_TYPE(inner_map, inner_type);

static const struct json_field doc_fields[] = {
	JSON_F(struct doc, yes, "Yes", json_bool, JSON_OMIT),
	JSON_F(struct doc, maybe, "Maybe", json_opt_bool, JSON_OMIT),
	JSON_F(struct doc, big, "Big", json_u64, JSON_OMIT),
	JSON_F(struct doc, real, "Real", json_f64, JSON_OMIT),
	JSON_F(struct doc, text, "Text", json_str, JSON_OMIT),
	JSON_F(struct doc, raw, "Raw", json_raw, JSON_OMIT),
	JSON_F(struct doc, bytes, "Bytes", json_bytes, JSON_OMIT),
	JSON_F(struct doc, key, "Key", json_key_node, JSON_OMIT),
	JSON_F(struct doc, when, "When", json_time, JSON_OMIT),
	JSON_F(struct doc, prefix, "Prefix", json_prefix, JSON_OMIT),
	JSON_F(struct doc, in, "In", inner_type, JSON_OMIT),
	JSON_F(struct doc, ptr, "Ptr", inner_ptr, JSON_OMIT),
	JSON_F_MAX(struct doc, list, "List", inner_list, JSON_OMIT, 3),
	JSON_F(struct doc, map, "Map", inner_map, JSON_OMIT),
	JSON_END,
};
static JSON_OBJECT_TYPE(doc_type, struct doc, doc_fields);

static struct arena arena;

static int decode(const char *s, struct doc *d, struct err_at *at)
{
	arena_reset(&arena);
	return json_decode(&doc_type, s, strlen(s), d, &arena, at);
}

static void round_trip(const char *in, const char *want)
{
	struct doc d;
	struct buf b;

	CHECK_ROW("%s", in);
	CHECK_INT(decode(in, &d, NULL), ==, 0);
	buf_init(&b, 10000);
	CHECK_INT(json_encode(&doc_type, &d, &b), ==, 0);
	CHECK_STR(buf_cstr(&b), want);
	buf_fini(&b);
}

static void documents_come_back_as_go_would_write_them(void **state)
{
	round_trip("{}", "{}");
	round_trip(" { \"Yes\" : true , \"Maybe\":false,\"Big\":18446744073709551615 } ",
		"{\"Yes\":true,\"Maybe\":false,\"Big\":18446744073709551615}");
	round_trip("{\"yes\":true,\"YES\":false}", "{}");
	round_trip("{\"Unknown\":{\"a\":[1,2,{\"b\":null}]},\"Text\":\"x\"}", "{\"Text\":\"x\"}");
	round_trip("{\"Text\":\"\\u003c\\u00e9\\ud83d\\ude00\\n\\\"\\\\\"}",
		"{\"Text\":\"\\u003cé😀\\n\\\"\\\\\"}");
	round_trip("{\"Text\":\"\\ud800x\"}", "{\"Text\":\"\xef\xbf\xbdx\"}");
	round_trip("{\"Raw\": {\"a\": [1, 2]} }", "{\"Raw\":{\"a\": [1, 2]}}");
	round_trip("{\"Bytes\":\"AQID\"}", "{\"Bytes\":\"AQID\"}");
	round_trip("{\"When\":\"2026-08-22T12:11:12.5+02:00\"}",
		"{\"When\":\"2026-08-22T10:11:12.5Z\"}");
	round_trip("{\"Prefix\":\"100.64.0.1/10\"}", "{\"Prefix\":\"100.64.0.1/10\"}");
	round_trip(
		"{\"In\":{\"N\":-5},\"Ptr\":{\"S\":\"abcde\"},\"List\":[{},{\"N\":1}],\"Map\":{\"k\":{\"N\":2}}}",
		"{\"In\":{\"N\":-5},\"Ptr\":{\"S\":\"abcde\"},\"List\":[{},{\"N\":1}],\"Map\":{\"k\":{\"N\":2}}}");
	round_trip(
		"{\"In\":null,\"Ptr\":null,\"List\":null,\"Map\":null,\"Text\":null,\"Yes\":null}",
		"{}");
	round_trip("{\"Real\":0.25}", "{\"Real\":0.25}");
	round_trip("{\"Real\":0.001087464}", "{\"Real\":0.001087464}");
	round_trip("{\"Real\":1e-7}", "{\"Real\":1e-07}");
	round_trip("{\"Real\":-0.000001}", "{\"Real\":-0.000001}");
	round_trip("{\"Real\":120000}", "{\"Real\":120000}");
	round_trip("{\"Real\":1.5e300}", "{\"Real\":1.5e+300}");
	round_trip("null", "{}");
}

static void the_first_value_may_be_all_that_is_read(void **state)
{
	struct doc d;

	arena_reset(&arena);
	CHECK_INT(json_decode_first(&doc_type, "{\"Text\":\"x\"}{", 13, &d, &arena, NULL), ==, 0);
	CHECK_STR(d.text, "x");
	CHECK_INT(json_decode_first(&doc_type, "{\"Text\":", 8, &d, &arena, NULL), <, 0);
}

static void indented(const char *in, const char *want)
{
	struct buf b;

	buf_init(&b, 1000);
	CHECK_ROW("%s", in);
	CHECK_INT(json_indent(view_of(in, strlen(in)), "", "  ", &b), ==, 0);
	CHECK_STR(buf_cstr(&b), want);
	buf_fini(&b);
}

static void a_text_is_laid_out_as_go_indents(void **state)
{
	indented("{\"a\":[1,2,{}],\"b\":{},\"c\":\"x{,:\\\"\",\"d\":[]}",
		"{\n  \"a\": [\n    1,\n    2,\n    {}\n  ],\n  \"b\": {},\n  \"c\": \"x{,:\\\"\",\n  \"d\": []\n}");
	indented("null", "null");
	indented(" [ ] ", "[]");
	indented("[\"a", "[\n  \"a"); /* not JSON: laid out as far as it goes */
}

static void maps_and_lists_are_built_in_an_arena(void **state)
{
	struct json_list l = { 0 };
	struct json_map m = { 0 };
	static int64_t v[100];
	char key[8];

	arena_reset(&arena);
	for (int i = 99; i >= 0; i--) {
		int64_t *item = json_list_add(&l, &arena, sizeof(*item));
		snprintf(key, sizeof(key), "%02d", i);
		*item = v[i] = i;
		CHECK_INT(json_map_add(&m, &arena, arena_strdup(&arena, key), &v[i]), ==, 0);
	}
	json_map_sort(&m);
	for (size_t i = 0; i < 100; i++) {
		CHECK_INT(*(int64_t *)m.v[i].value, ==, i);
		CHECK_INT(*JSON_AT(l, int64_t, i), ==, 99 - i);
	}
	CHECK_TRUE(json_map_find(&m, "42") == &v[42]);
	CHECK_TRUE(!json_map_find(&m, "x"));
}

static void a_clone_owes_nothing_to_the_original(void **state)
{
	char text[] = "{\"Text\":\"abc\",\"Raw\":[1],\"List\":[{\"S\":\"x\"}]}";
	struct arena other;
	struct doc d, copy;

	arena_init(&other, 10000);
	CHECK_INT(decode(text, &d, NULL), ==, 0);
	CHECK_INT(json_clone(&doc_type, &d, &copy, &other), ==, 0);
	memset(text, 0, sizeof(text));
	arena_reset(&arena);
	CHECK_STR(copy.text, "abc");
	CHECK_TRUE(view_eq(copy.raw, VIEW_LIT("[1]")));
	CHECK_STR(JSON_AT(copy.list, struct inner, 0)->s, "x");
	arena_fini(&other);
}

static void absent_and_empty_are_two_things(void **state)
{
	struct doc d;

	CHECK_INT(decode("{\"List\":[]}", &d, NULL), ==, 0);
	CHECK_TRUE(d.list.present && d.list.n == 0);
	CHECK_INT(decode("{\"List\":null}", &d, NULL), ==, 0);
	CHECK_TRUE(!d.list.present);
}

static void hostile_input_is_refused(void **state)
{
	static const struct {
		const char *in;
		int rc;
	} rows[] = { { "", -ERR_BAD_VALUE }, { "{", -ERR_BAD_FORMAT },
		{ "{\"Yes\":tru}", -ERR_BAD_VALUE }, { "{\"Yes\":1}", -ERR_BAD_VALUE },
		{ "{}x", -ERR_TRAILING }, { "{\"Big\":-1}", -ERR_BAD_VALUE },
		{ "{\"Big\":1.5}", -ERR_BAD_VALUE },
		{ "{\"Big\":18446744073709551616}", -ERR_BAD_VALUE },
		{ "{\"Text\":\"\\u0000\"}", -ERR_BAD_VALUE },
		{ "{\"Text\":\"\xff\"}", -ERR_BAD_VALUE },
		{ "{\"Text\":\"\\x\"}", -ERR_BAD_FORMAT },
		{ "{\"Text\":\"a\nb\"}", -ERR_BAD_FORMAT }, { "{\"Text\":\"\\", -ERR_BAD_FORMAT },
		{ "{\"Text\":\"\\u12", -ERR_BAD_FORMAT },
		{ "{\"In\":{\"S\":\"abcdef\"}}", -ERR_TOO_BIG },
		{ "{\"List\":[{},{},{},{}]}", -ERR_TOO_MANY },
		{ "{\"Key\":\"nodekey:12\"}", -ERR_BAD_VALUE }, { "{\"Big\":01}", -ERR_BAD_FORMAT },
		{ "{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]", -ERR_TOO_DEEP },
		{ "{\"Yes\":true,}", -ERR_BAD_FORMAT }, { "[1]", -ERR_BAD_VALUE },
		{ "{\"Bytes\":\"@\"}", -ERR_BAD_VALUE } };
	struct doc d;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CHECK_ROW("%s", rows[i].in);
		CHECK_INT(decode(rows[i].in, &d, NULL), ==, rows[i].rc);
	}
}

static void errors_name_line_column_and_field(void **state)
{
	struct err_at at;
	struct doc d;

	CHECK_INT(decode("{\n  \"Text\": 7\n}", &d, &at), <, 0);
	CHECK_INT(at.line, ==, 2);
	CHECK_INT(at.column, ==, 11);
	CHECK_TRUE(strstr(at.text, "Text: ") == at.text);
}

static void memory_is_bounded_by_the_arena(void **state)
{
	struct arena small;
	struct doc d;

	arena_init(&small, 64);
	CHECK_INT(
		json_decode(&doc_type,
			"{\"List\":[{},{},{}],\"Text\":\"0123456789012345678901234567890123456789\"}",
			67, &d, &small, NULL),
		<, 0);
	arena_fini(&small);
}

/* Filled up to each limit of the table and one beyond it: the encoder and the decoder say the same. */
static void what_is_written_can_be_read(void **state)
{
	static char big[JSON_DEFAULT_MAX + 2];
	static struct inner items[4];
	const struct json_pair pairs[] = { { .key = big, .value = items } };
	const struct {
		const char *what;
		struct doc doc;
		int rc;
	} rows[] = {
		{ "inner text", { .in = { .s = "abcde" } }, 0 },
		{ "inner text, one more", { .in = { .s = "abcdef" } }, -ERR_TOO_BIG },
		{ "text behind a pointer", { .ptr = &(struct inner){ .s = "abcdef" } },
			-ERR_TOO_BIG },
		{ "list", { .list = json_list_of(items, 3) }, 0 },
		{ "list, one more", { .list = json_list_of(items, 4) }, -ERR_TOO_MANY },
		{ "text", { .text = big + 1 }, 0 },
		{ "text, one more", { .text = big }, -ERR_TOO_BIG },
		{ "bytes", { .bytes = view_of(big, JSON_DEFAULT_MAX / 4 * 3) }, 0 },
		{ "bytes, one more", { .bytes = view_of(big, JSON_DEFAULT_MAX / 4 * 3 + 1) },
			-ERR_TOO_BIG },
		{ "name in a map", { .map = { .v = (void *)pairs, .n = 1, .present = true } },
			-ERR_TOO_BIG },
		{ "no UTF-8", { .in = { .s = "\xff" } }, 0 },
		{ "no UTF-8, which grows", { .in = { .s = "a\xff\xff" } }, -ERR_TOO_BIG },
	};

	memset(big, 'x', sizeof(big) - 1);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct doc again;
		struct buf b;

		CHECK_ROW("%s", rows[i].what);
		arena_reset(&arena);
		buf_init(&b, 1 << 20);
		CHECK_INT(json_encode(&doc_type, &rows[i].doc, &b), ==, rows[i].rc);
		if (rows[i].rc == 0)
			CHECK_INT(json_decode(&doc_type, buf_data(&b), buf_len(&b), &again, &arena,
					  NULL),
				==, 0);
		buf_fini(&b);
	}
}

static void a_text_that_is_no_utf8_is_mended(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = { { "caf\xc3\xa9", "\"caf\xc3\xa9\"" }, { "caf\xe9", "\"caf\\ufffd\"" },
		{ "\xe2\x80", "\"\\ufffd\\ufffd\"" }, { "\xe2\x80\xa8", "\"\\u2028\"" },
		{ "\xed\xa0\x80x", "\"\\ufffd\\ufffd\\ufffdx\"" },
		{ "\xf0\x9f\x98\x80<", "\"\xf0\x9f\x98\x80\\u003c\"" } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b;

		CHECK_ROW("%s", rows[i].out);
		buf_init(&b, 1000);
		CHECK_INT(json_encode_str(&b, rows[i].in, strlen(rows[i].in)), ==, 0);
		CHECK_STR(buf_cstr(&b), rows[i].out);
		buf_fini(&b);
	}
}

static const struct json_type roomy_map = { .kind = JK_MAP,
	.size = sizeof(struct json_map),
	.elem = &json_str,
	.elem_max = 2 * JSON_DEFAULT_MAX };

static void items_of_a_map_have_the_limit_of_its_type(void **state)
{
	static char big[2 * JSON_DEFAULT_MAX + 2];
	char *text = big + 1;
	struct json_pair pair = { .key = "k", .value = &text };
	struct json_map m = { .v = &pair, .n = 1, .present = true }, again;
	struct buf b;

	memset(big, 'x', sizeof(big) - 1);
	arena_reset(&arena);
	buf_init(&b, 1 << 20);
	CHECK_INT(json_encode(&roomy_map, &m, &b), ==, 0);
	CHECK_INT(json_decode(&roomy_map, buf_data(&b), buf_len(&b), &again, &arena, NULL), ==, 0);
	CHECK_STR(*(char **)again.v[0].value, text);
	text = big;
	CHECK_INT(json_encode(&roomy_map, &m, &b), ==, -ERR_TOO_BIG);
	buf_fini(&b);
}

/* A value that is kept as it came goes to readers who know less than we do of what is no JSON. */
static void escapes_are_looked_at_where_nobody_reads_the_text(void **state)
{
	static const char *const bad[] = { "{\"Raw\":\"\\q\"}", "{\"Raw\":{\"a\\x\":1}}",
		"{\"Raw\":\"\\u12g4\"}", "{\"Unknown\":[\"\\\"]}", "{\"Unknown\":{\"a\":\"\\ \"}}",
		"{\"U\\nknown\\\":1}", "{\"Raw\":\"\\u123\"}" };
	struct doc d;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK_ROW("%s", bad[i]);
		CHECK_INT(decode(bad[i], &d, NULL), ==, -ERR_BAD_FORMAT);
	}
	CHECK_INT(decode("{\"Raw\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00aF\"}", &d, NULL), ==, 0);
}

struct numbers {
	int64_t port, count;
};

static const struct json_field number_fields[] = {
	JSON_F(struct numbers, port, "Port", json_u16, 0),
	JSON_F(struct numbers, count, "Count", json_u31, 0),
	JSON_END,
};
static JSON_OBJECT_TYPE(numbers_type, struct numbers, number_fields);

static void numbers_have_the_range_of_their_type(void **state)
{
	static const char *const bad[] = { "{\"Port\":65536}", "{\"Port\":-1}",
		"{\"Count\":2147483648}", "{\"Count\":-1}", "{\"Port\":1.5}",
		"{\"Port\":99999999999999999999}" };
	static const struct numbers wrong[] = { { 65536, 0 }, { -1, 0 }, { 0, 2147483648 },
		{ 0, -1 } };
	struct numbers n;
	struct doc d;
	struct buf b;

	arena_reset(&arena);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK_ROW("%s", bad[i]);
		CHECK_INT(json_decode(&numbers_type, bad[i], strlen(bad[i]), &n, &arena, NULL), ==,
			-ERR_BAD_VALUE);
	}
	buf_init(&b, 100);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		CHECK_INT(json_encode(&numbers_type, &wrong[i], &b), ==, -ERR_BAD_VALUE);
	buf_clear(&b);
	n = (struct numbers){ 65535, 2147483647 };
	CHECK_INT(json_encode(&numbers_type, &n, &b), ==, 0);
	CHECK_INT(json_decode(&numbers_type, buf_data(&b), buf_len(&b), &n, &arena, NULL), ==, 0);
	CHECK_INT(n.port, ==, 65535);
	CHECK_INT(decode("{\"Real\":1e999}", &d, NULL), ==, -ERR_BAD_VALUE);
	CHECK_INT(decode("{\"Real\":-1e400}", &d, NULL), ==, -ERR_BAD_VALUE);
	CHECK_INT(decode("{\"When\":\"9999-12-31T23:59:59-01:00\"}", &d, NULL), ==, -ERR_BAD_VALUE);
	buf_fini(&b);
}

struct member {
	int64_t id;
	struct json_list texts;
	const char *fault;
};

static const struct json_field member_fields[] = {
	JSON_F(struct member, id, "ID", json_int, 0),
	JSON_F_MAX(struct member, texts, "Texts", json_str_list, 0, 2),
	JSON_END,
};
static JSON_OBJECT_TYPE_FAULT(member_type, struct member, member_fields, fault);
static JSON_LIST_TYPE(member_list, member_type);

static void an_item_that_cannot_be_read_leaves_the_others(void **state)
{
	static const char *const bad[] = { "{\"ID\":1,\"Texts\":[\"\\q\"]}",
		"{\"ID\":1,\"Texts\":5}", "{\"ID\":1,\"Texts\":[1,{\"]\":\"}\"}]}",
		"{\"ID\":1,\"Texts\":[\"a\",\"b\",\"c\"]}",
		"{\"ID\":1,\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}",
		"{\"ID\":1,\"x\":\"\x01\"}", "{\"ID\":1,\"Texts\":[\"\xff\"]}", "{\"ID\":1,,}",
		"{\"ID\":1 \"x\"}", "{\"ID\":1,\"x\":tru}" };
	static const char *const beyond[] = { "[{\"ID\":1,\"x\":\"\\q]", "[{\"ID\":1,\"x\":[}",
		"[{\"ID\":1,,", "[}", "[{\"ID\":1,\"\\" };
	struct json_list l;
	char text[512];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK_ROW("%s", bad[i]);
		arena_reset(&arena);
		snprintf(text, sizeof(text), "[{\"ID\":7,\"Texts\":[\"a\"]}, %s ,{\"ID\":9}]",
			bad[i]);
		CHECK_INT(json_decode(&member_list, text, strlen(text), &l, &arena, NULL), ==, 0);
		CHECK_INT(l.n, ==, 3);
		CHECK_TRUE(!JSON_AT(l, struct member, 0)->fault &&
			   JSON_AT(l, struct member, 1)->fault &&
			   !JSON_AT(l, struct member, 2)->fault);
		CHECK_INT(JSON_AT(l, struct member, 1)->id, ==, 1);
		CHECK_INT(JSON_AT(l, struct member, 2)->id, ==, 9);
	}
	for (size_t i = 0; i < ARRAY_LEN(beyond); i++) {
		CHECK_ROW("%s", beyond[i]);
		CHECK_INT(json_decode(&member_list, beyond[i], strlen(beyond[i]), &l, &arena, NULL),
			<, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documents_come_back_as_go_would_write_them),
		cmocka_unit_test(the_first_value_may_be_all_that_is_read),
		cmocka_unit_test(a_text_is_laid_out_as_go_indents),
		cmocka_unit_test(maps_and_lists_are_built_in_an_arena),
		cmocka_unit_test(a_clone_owes_nothing_to_the_original),
		cmocka_unit_test(absent_and_empty_are_two_things),
		cmocka_unit_test(hostile_input_is_refused),
		cmocka_unit_test(escapes_are_looked_at_where_nobody_reads_the_text),
		cmocka_unit_test(numbers_have_the_range_of_their_type),
		cmocka_unit_test(an_item_that_cannot_be_read_leaves_the_others),
		cmocka_unit_test(errors_name_line_column_and_field),
		cmocka_unit_test(memory_is_bounded_by_the_arena),
		cmocka_unit_test(what_is_written_can_be_read),
		cmocka_unit_test(a_text_that_is_no_utf8_is_mended),
		cmocka_unit_test(items_of_a_map_have_the_limit_of_its_type),
	};
	int rc;

	arena_init(&arena, 1 << 20);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	arena_fini(&arena);
	return rc;
}
