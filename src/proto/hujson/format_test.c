/* The expected forms are what Tailscale's hujson (of 2026-03-02) writes for these inputs. */
#include "proto/hujson/hujson.h"
#include "testlib/check.h"

static const struct {
	const char *in, *out;
} canonical[] = {
	{ "{\"acls\":[]}\n", "{\"acls\": []}\n" },
	{ "// all\n{\"acls\":[{\"action\":\"accept\",\"src\":[\"*\"],\"dst\":[\"*:*\"],},],}",
		"// all\n{\"acls\": [{\"action\": \"accept\", \"src\": [\"*\"], \"dst\": [\"*:*\"]}]}\n" },
	{ "{\"groups\":{\"group:dev\":[\"ann@example.com\",\"bob@example.com\"],\"group:ops\":[\"eve@example.com\"],},\n\"tagOwners\":{\n\"tag:a\":[\"group:ops\"],\n\"tag:longer\":[],\n// one alone\n\"tag:b\":[\"group:dev\"]}}",
		"{\n\t\"groups\": {\n\t\t\"group:dev\": [\"ann@example.com\", \"bob@example.com\"],\n\t\t\"group:ops\": [\"eve@example.com\"],\n\t},\n\t\"tagOwners\": {\n\t\t\"tag:a\":      [\"group:ops\"],\n\t\t\"tag:longer\": [],\n\t\t// one alone\n\t\t\"tag:b\": [\"group:dev\"],\n\t},\n}\n" },
	{ "{\r\n  \"acls\": [\r\n    {\"action\": \"accept\", \"src\": [\"group:dev\"], \"dst\": [\"tag:a:22\"]}, // ssh\r\n\r\n\r\n\r\n    {\"action\": \"accept\", \"src\": [\"group:ops\"], \"dst\": [\"*:*\"]}\r\n  ]\r\n}\r\n",
		"{\n\t\"acls\": [\n\t\t{\"action\": \"accept\", \"src\": [\"group:dev\"], \"dst\": [\"tag:a:22\"]}, // ssh\n\n\t\t{\"action\": \"accept\", \"src\": [\"group:ops\"], \"dst\": [\"*:*\"]},\n\t],\n}\n" },
	{ "{\"a\" : 1 , \"b\"\n: [ 1,2 , 3 ] ,\n\n\n\"c\":{ }, \"d\":[ /* none */ ]}",
		"{\n\t\"a\": 1,\n\t\"b\": [1, 2, 3],\n\n\t\"c\": {},\n\t\"d\": [ /* none */ ],\n}\n" },
	{ "/*\n   * head\n   * more\n   */\n{\"a\":[1,\n2]} // end\n\n",
		"/*\n * head\n * more\n */\n{\"a\": [\n\t1,\n\t2,\n]} // end\n" },
	{ "{\"text\":\"\\u0041\\/\\n\\u00e9\\u0007\\\"\", \"n\":-0.50e+3}",
		"{\"text\": \"A/\\n\303\251\\u0007\\\"\", \"n\": -0.50e+3}\n" },
	{ "{\"one\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\",\"two\":\"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\",\"three\":\"zzzzzzz\"}",
		"{\n\t\"one\":   \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\",\n\t\"two\":   \"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\",\n\t\"three\": \"zzzzzzz\"\n}\n" },
	{ "[1,2,3,]", "[1, 2, 3]\n" },
	{ "[ /* a */1 /* b */, // c\n2]", "[\n\t/* a */ 1 /* b */ , // c\n\t2,\n]\n" },
	{ " \n null \n", "null\n" },
	{ "{\"acls\": [\n\t// first\n\t{\"action\": \"accept\", // why\n\t\"src\": [\"*\"], \"dst\": [\"*:*\"]},\n],\n}",
		"{\n\t\"acls\": [\n\t\t// first\n\t\t{\n\t\t\t\"action\": \"accept\", // why\n\t\t\t\"src\":    [\"*\"],\n\t\t\t\"dst\":    [\"*:*\"],\n\t\t},\n\t],\n}\n" },
	{ "{\"a\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\",\"z\":/* q\n\t\tz\n  */1}",
		"{\"a\": \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\", \"z\": /* q\n\t\tz\n\t\t*/ 1}\n" },
	{ "{\"b\":1,\"z\":/* x\n   y *//* more */1,\"a\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}",
		"{\"b\": 1, \"z\": /* x\n\t\ty */ /* more */ 1, \"a\": \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}\n" },
};

static void format(const char *in, struct buf *out)
{
	buf_init(out, 1 << 20);
	CHECK_INT(hujson_format(in, strlen(in), out, NULL), ==, 0);
}

static void the_canonical_form_is_what_tailscales_tools_write(void **state)
{
	struct buf b;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(canonical); i++) {
		format(canonical[i].in, &b);
		CHECK_STR(buf_cstr(&b), canonical[i].out);
		buf_fini(&b);
	}
}

static void what_is_canonical_stays_as_it_is(void **state)
{
	struct buf b;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(canonical); i++) {
		format(canonical[i].out, &b);
		CHECK_STR(buf_cstr(&b), canonical[i].out);
		buf_fini(&b);
	}
}

static void the_standard_form_keeps_every_value_in_its_place(void **state)
{
	static const char in[] =
		"{ // a \"comment\"\n\t\"b\": [1, /* , */ 2, // x\n\t], \"c\": \"// no, }\\\"\",\n}\n";
	static const char out[] =
		"{               \n\t\"b\": [1,         2      \n\t], \"c\": \"// no, }\\\"\" \n}\n";
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	CHECK_INT(hujson_standardize(in, strlen(in), &b, NULL), ==, 0);
	CHECK_STR(buf_cstr(&b), out);
	buf_fini(&b);
}

static void a_fault_is_reported_and_nothing_is_written(void **state)
{
	struct err_at at = { 0 };
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	CHECK_INT(hujson_format("{\n\"a\" 1}", 8, &b, &at), <, 0);
	CHECK_INT(at.line, ==, 2);
	CHECK_INT(hujson_standardize("[1", 2, &b, &at), <, 0);
	CHECK_INT(buf_len(&b), ==, 0);
	buf_fini(&b);
	buf_init(&b, 4);
	CHECK_INT(hujson_format("{\"a\": 1}", 8, &b, &at), ==, -ERR_TOO_BIG);
	CHECK_INT(buf_len(&b), ==, 0);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_canonical_form_is_what_tailscales_tools_write),
		cmocka_unit_test(what_is_canonical_stays_as_it_is),
		cmocka_unit_test(the_standard_form_keeps_every_value_in_its_place),
		cmocka_unit_test(a_fault_is_reported_and_nothing_is_written),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
