#include "proto/dnsmsg/dnsmsg.h"

#include "base/err/err.h"
#include "base/text/text.h"
#include "testlib/check.h"

static struct dnsmsg_name name(const char *text)
{
	struct dnsmsg_name n;

	CHECK_INT(dnsmsg_name_parse(text, strlen(text), &n), ==, 0);
	return n;
}

static void names_as_text(void **state)
{
	static const struct {
		const char *in, *out; /* NULL: refused */
	} rows[] = { { "", "." }, { ".", "." }, { "a.b", "a.b." }, { "a.b.", "a.b." },
		{ "a..b", NULL }, { ".a", NULL }, { "a\\.b.c", "a\\046b.c." },
		{ "\\065.x", "A.x." }, { "\\256", NULL }, { "\\12", NULL }, { "a b", "a\\032b." },
		{ "a\\", NULL } };
	char out[DNSMSG_TEXT_MAX], label[80];
	struct dnsmsg_name n, longest = name("");

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int rc = dnsmsg_name_parse(rows[i].in, strlen(rows[i].in), &n);

		CHECK_ROW("%s", rows[i].in);
		CHECK_INT(rc == 0, ==, rows[i].out != NULL);
		if (rc == 0)
			CHECK_STR(dnsmsg_name_format(&n, out), rows[i].out);
	}
	memset(label, 'a', sizeof(label));
	CHECK_INT(dnsmsg_name_parse(label, 63, &n), ==, 0);
	CHECK_INT(dnsmsg_name_parse(label, 64, &n), <, 0);
	for (int i = 0; i < 127; i++) {
		struct dnsmsg_name up = longest;

		n = name("\\255");
		CHECK_TRUE(dnsmsg_name_join(&n, &up, &longest));
	}
	CHECK_INT(longest.len, ==, DNSMSG_NAME_MAX);
	CHECK_INT(dnsmsg_name_labels(&longest), ==, 127);
	CHECK_TRUE(!dnsmsg_name_join(&n, &longest, &n));
	CHECK_INT(strlen(dnsmsg_name_format(&longest, out)), <, DNSMSG_TEXT_MAX);
	CHECK_INT(dnsmsg_name_parse(out, strlen(out), &n), ==, 0);
	CHECK_TRUE(dnsmsg_name_eq(&n, &longest));
}

static void names_below_a_suffix(void **state)
{
	struct dnsmsg_name a = name("x.corp.test"), b = name("corp.test"), c = name("rp.test"),
			   root = name("."), none = { 0 };

	CHECK_TRUE(dnsmsg_name_is_below(&a, &b) && dnsmsg_name_is_below(&b, &b));
	CHECK_TRUE(!dnsmsg_name_is_below(&a, &c) && !dnsmsg_name_is_below(&b, &a));
	CHECK_TRUE(dnsmsg_name_is_below(&a, &root) && !dnsmsg_name_is_below(&a, &none));
}

static void what_is_written_is_read(void **state)
{
	struct dnsmsg_question q = { name("Host.Tail.test"), DNSMSG_A, DNSMSG_IN };
	struct dnsmsg_record r = { 0 };
	uint8_t buf[512];
	struct wcur w = wcur_over(buf, sizeof(buf));
	struct dnsmsg m;
	size_t index = 0;

	dnsmsg_put_header(&w, 7, DNSMSG_QR);
	dnsmsg_put_question(&w, &q);
	dnsmsg_put_address(&w, NULL, ipaddr_v4(1, 2, 3, 4), 5);
	dnsmsg_put_opt(&w, 1232, 1, true);
	CHECK_INT(dnsmsg_read(view_of(buf, wcur_len(&w)), &m), ==, 0);
	CHECK_INT(m.h.id, ==, 7);
	CHECK_TRUE(dnsmsg_name_eq(&m.q.name, &q.name) && m.q.type == DNSMSG_A);
	CHECK_TRUE(m.opt.at && m.opt.size == 1232 && m.opt.rcode_high == 1 && m.opt.dnssec_ok);
	CHECK_INT(m.end, ==, wcur_len(&w));
	CHECK_INT(dnsmsg_next(m.bytes, &m.h, m.question_end, &index, &r), ==, 0);
	CHECK_TRUE(dnsmsg_name_eq(&r.name, &q.name) && r.ttl == 5 && r.rdata_len == 4);
	for (size_t n = 0; n < wcur_len(&w); n++)
		CHECK_INT(dnsmsg_read(view_of(buf, n), &m), <, 0);
}

static void damaged_messages_are_refused(void **state)
{
	static const struct {
		const char *what, *hex;
	} rows[] = {
		{ "pointer to itself", "000001000001000000000000c00c00010001" },
		{ "pointer forward", "000001000001000000000000c01200010001016100" },
		{ "pointer into the header", "000001000001000000000000c00400010001" },
		{ "label, then pointer to it", "0000010000010000000000000161c00c00010001" },
		{ "label of type 0x40", "0000010000010000000000004161" },
		{ "two OPT", "00000100000100000000000201610000010001"
			     "0000290200000000000000"
			     "0000290200000000000000" },
		{ "OPT with a name", "000001000001000000000001016100000100010161000029020000000000"
				     "0000" },
		{ "OPT as an answer",
			"000001000001000100000000016100000100010000290200000000000000" },
		{ "data beyond the end",
			"0000010000010001000000000161000001000100000100010000000000040102" },
	};
	uint8_t b[128];
	struct dnsmsg m;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len = strlen(rows[i].hex);

		CHECK_ROW("%s", rows[i].what);
		CHECK_INT(hex_decode(rows[i].hex, len, b), ==, 0);
		CHECK_INT(dnsmsg_read(view_of(b, len / 2), &m), <, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_as_text),
		cmocka_unit_test(names_below_a_suffix),
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(damaged_messages_are_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
