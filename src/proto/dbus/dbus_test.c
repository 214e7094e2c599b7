#include "proto/dbus/dbus.h"
#include "testlib/check.h"

static const struct dbus_method set_dns = { "org.freedesktop.resolve1", "/org/freedesktop/resolve1",
	"org.freedesktop.resolve1.Manager", "SetLinkDNS", "ia(iay)" };

static void put_set_dns(struct buf *b)
{
	static const uint8_t addr[] = { 100, 100, 100, 100 };
	struct dbus_array list, bytes;
	struct dbus_out o;

	dbus_call_begin(&o, b, &set_dns, 0);
	dbus_put_u32(&o, 7);
	list = dbus_put_array(&o, 8);
	for (int i = 0; i < 2; i++) {
		dbus_put_align(&o, 8);
		dbus_put_u32(&o, 2);
		bytes = dbus_put_array(&o, 1);
		dbus_put_raw(&o, view_of(addr, 4));
		dbus_put_array_end(&o, bytes);
	}
	dbus_put_array_end(&o, list);
	CHECK_INT(dbus_call_end(&o, 3), ==, 0);
}

static void a_call_is_read_as_it_was_written(void **state)
{
	struct dbus_head h;
	struct dbus_in in;
	size_t used, end;
	struct buf b;
	int n = 0;

	buf_init(&b, 4096);
	put_set_dns(&b);
	CHECK_INT(dbus_parse(buf_data(&b), buf_len(&b), &h, &in, &used), ==, 0);
	CHECK_INT(used, ==, buf_len(&b));
	CHECK_INT(h.kind, ==, DBUS_CALL);
	CHECK_INT(h.serial, ==, 3);
	CHECK_TRUE(view_eq(h.member, VIEW_LIT("SetLinkDNS")) &&
		   view_eq(h.signature, VIEW_LIT("ia(iay)")) &&
		   view_eq(h.path, VIEW_LIT("/org/freedesktop/resolve1")));
	CHECK_INT(dbus_get_u32(&in), ==, 7);
	end = dbus_get_array(&in, 8);
	while (dbus_has(&in, end)) {
		size_t bytes_end;

		dbus_get_align(&in, 8);
		CHECK_INT(dbus_get_u32(&in), ==, 2);
		bytes_end = dbus_get_array(&in, 1);
		CHECK_INT(bytes_end - in.at, ==, 4);
		while (dbus_has(&in, bytes_end))
			CHECK_INT(dbus_get_u8(&in), ==, 100);
		n++;
	}
	CHECK_INT(n, ==, 2);
	CHECK_TRUE(!in.bad && in.at == in.len);
	buf_fini(&b);
}

static void a_value_is_passed_over_by_its_signature(void **state)
{
	struct view sig = VIEW_LIT("ia(iay)");
	struct dbus_head h;
	struct dbus_in in;
	struct buf b;
	size_t used;

	buf_init(&b, 4096);
	put_set_dns(&b);
	CHECK_INT(dbus_parse(buf_data(&b), buf_len(&b), &h, &in, &used), ==, 0);
	dbus_skip(&in, &sig);
	dbus_skip(&in, &sig);
	CHECK_TRUE(!in.bad && !sig.len && in.at == in.len);
	dbus_skip(&in, &sig);
	CHECK_TRUE(in.bad);
	buf_fini(&b);
}

static void half_a_message_wants_more(void **state)
{
	struct dbus_head h;
	struct dbus_in in;
	struct buf b;
	size_t used;

	buf_init(&b, 4096);
	put_set_dns(&b);
	put_set_dns(&b);
	for (size_t n = 0; n < buf_len(&b) / 2; n++)
		CHECK_INT(dbus_parse(buf_data(&b), n, &h, &in, &used), ==, DBUS_MORE);
	CHECK_INT(dbus_parse(buf_data(&b), buf_len(&b), &h, &in, &used), ==, 0);
	CHECK_INT(used, ==, buf_len(&b) / 2);
	buf_fini(&b);
}

static void what_is_no_message_is_refused(void **state)
{
	static const struct {
		size_t at;
		uint8_t byte;
		int want;
	} row[] = {
		{ 0, 'x', -ERR_BAD_FORMAT },
		{ 1, 0, -ERR_BAD_FORMAT },
		{ 3, 2, -ERR_BAD_FORMAT },
		{ 6, 0x7f, -ERR_TOO_BIG },
		{ 14, 0x7f, -ERR_TOO_BIG },
		{ 8, 0, -ERR_BAD_FORMAT },
		{ 17, 200, -ERR_BAD_FORMAT },
	};
	struct dbus_head h;
	struct dbus_in in;
	size_t used;

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct buf b;

		CHECK_ROW("row %zu", i);
		buf_init(&b, 4096);
		put_set_dns(&b);
		b.mem[b.head + row[i].at] = row[i].byte;
		CHECK_INT(dbus_parse(buf_data(&b), buf_len(&b), &h, &in, &used), ==, row[i].want);
		buf_fini(&b);
	}
}

static void nesting_is_bounded(void **state)
{
	char deep[255];
	uint8_t body[64] = { 0 };
	struct dbus_in in = { .p = body, .len = sizeof(body) };
	struct view sig = view_of(deep, sizeof(deep));

	memset(deep, 'a', sizeof(deep));
	dbus_skip(&in, &sig);
	CHECK_TRUE(in.bad);
	memset(deep, '(', sizeof(deep));
	in.bad = false;
	sig = view_of(deep, sizeof(deep));
	dbus_skip(&in, &sig);
	CHECK_TRUE(in.bad);
}

static void a_call_without_room_leaves_nothing(void **state)
{
	struct dbus_out o;
	struct buf b;

	buf_init(&b, 100);
	dbus_call_begin(&o, &b, &set_dns, 0);
	CHECK_INT(dbus_call_end(&o, 1), ==, -ERR_TOO_BIG);
	CHECK_INT(buf_len(&b), ==, 0);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_is_read_as_it_was_written),
		cmocka_unit_test(a_value_is_passed_over_by_its_signature),
		cmocka_unit_test(half_a_message_wants_more),
		cmocka_unit_test(what_is_no_message_is_refused),
		cmocka_unit_test(nesting_is_bounded),
		cmocka_unit_test(a_call_without_room_leaves_nothing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
