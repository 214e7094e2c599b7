#include "hubctl/zone.h"
#include "base/err/err.h"
#include "proto/tailcfg/tailcfg.h"
#include "testlib/check.h"

#include <errno.h>

static struct arena mem;
static struct zone z;

static int read_text(const char *text)
{
	arena_fini(&mem);
	arena_init(&mem, 1 << 20);
	return zone_read(view_of(text, strlen(text)), &mem, &z);
}

static const char *record(size_t i)
{
	static char out[600];
	const struct tc_dns_record *r = JSON_AT(z.records, struct tc_dns_record, i);

	snprintf(out, sizeof(out), "%s %s %s", r->name, r->type, r->value);
	return out;
}

static void addresses_of_a_zone(void **state)
{
	CHECK_INT(
		read_text(
			"$TTL 1h\n$ORIGIN corp.example.\n"
			"@ IN SOA ns.corp.example. admin.corp.example. (\n\t1 ; serial\n\t2 3 4 5 )\n"
			"@\t3600 IN A 10.0.0.1 ; the office\n"
			"  AAAA fd00::1\r\n"
			"\n; nothing\n"
			"db 1h30m A 10.0.0.2\n"
			"mail MX 10 mx.other.example.\n"
			"nas.home.example. in a 10.0.0.3\n"
			"$ORIGIN lab\n"
			"x A 10.0.0.4"),
		==, 0);
	CHECK_INT(z.records.n, ==, 5);
	CHECK_INT(z.n_left_out, ==, 2);
	CHECK_STR(record(0), "corp.example A 10.0.0.1");
	CHECK_STR(record(1), "corp.example AAAA fd00::1");
	CHECK_STR(record(2), "db.corp.example A 10.0.0.2");
	CHECK_STR(record(3), "nas.home.example a 10.0.0.3");
	CHECK_STR(record(4), "x.lab.corp.example A 10.0.0.4");
}

static void what_is_wrong_is_told_with_its_line(void **state)
{
	static const struct {
		const char *text;
		unsigned line;
	} rows[] = {
		{ "a.example A 10.0.0.1\nb.example A fd00::1\n", 2 },
		{ "\n\n A 10.0.0.1\n", 3 },
		{ "a.example A\n", 1 },
		{ "a.example 300 IN\n", 1 },
		{ "@ A 10.0.0.1\n", 1 },
		{ "$ORIGIN\n", 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CHECK_ROW("%s", rows[i].text);
		CHECK_INT(read_text(rows[i].text), ==, -ERR_BAD_FORMAT);
		CHECK_INT(z.line, ==, rows[i].line);
		CHECK_TRUE(z.why && *z.why);
	}
	arena_fini(&mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_of_a_zone),
		cmocka_unit_test(what_is_wrong_is_told_with_its_line),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
