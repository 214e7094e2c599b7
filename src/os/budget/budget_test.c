#include "os/budget/budget.h"
#include "testlib/check.h"

static void parts_fit_into_the_whole(void **state)
{
	static const uint64_t memory[] = { 0, 1, BUDGET_MEMORY_MIN, (uint64_t)100 << 20,
		(uint64_t)512 << 20, (uint64_t)1 << 30, (uint64_t)1 << 40 };
	static const size_t files[] = { 64, 256, 512, 1024, 65536, 262144, 1 << 30 };

	for (size_t i = 0; i < ARRAY_LEN(memory); i++) {
		for (size_t k = 0; k < ARRAY_LEN(files); k++) {
			struct budget b = { .memory = memory[i], .files = files[k] };
			const struct ledger_cfg *l = &b.ledger;

			budget_split(b.memory, b.files, &b.ledger);
			CHECK_TRUE(l->strangers.bytes + l->leaving.bytes + l->members.bytes +
					   budget_kernel(&b) + budget_rest(&b) ==
				   MAX_OF(memory[i], BUDGET_MEMORY_MIN));
			CHECK_TRUE(budget_rest(&b) >= MAX_OF(memory[i], BUDGET_MEMORY_MIN) / 8);
			CHECK_TRUE(l->strangers.conns + l->leaving.conns + l->members.conns +
					   MIN_OF(files[k] / 2, (size_t)BUDGET_FILES_KEPT) <=
				   files[k]);
			CHECK_TRUE(l->strangers.conns > 0 && l->members.conns > 0 &&
				   l->leaving.conns > 0);
			CHECK_TRUE(l->strangers.bytes <= BUDGET_STRANGER_BYTES_MAX &&
				   l->strangers.conns <= BUDGET_STRANGER_CONNS_MAX);
		}
	}
}

static void the_operators_number_counts(void **state)
{
	struct budget b;

	budget_plan((uint64_t)300 << 20, &b);
	CHECK_TRUE(b.memory == (uint64_t)300 << 20);
	CHECK_TRUE(b.files > 0);
	budget_plan(0, &b);
	CHECK_TRUE(b.memory > 0 && b.memory < UINT64_MAX);
}

static void sizes_are_written_as_systemd_writes_them(void **state)
{
	static const char *const bad[] = { "", "M", "-1", "1.5G", "64MB", "12 M",
		"99999999999999999999", "99999999999G", "63M", "1", "0" };
	uint64_t n;

	CHECK_INT(budget_parse("64M", &n), ==, 0);
	CHECK_TRUE(n == BUDGET_MEMORY_MIN);
	CHECK_INT(budget_parse("2G", &n), ==, 0);
	CHECK_TRUE(n == (uint64_t)2 << 30);
	CHECK_INT(budget_parse("100000000", &n), ==, 0);
	CHECK_TRUE(n == 100000000);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_INT(budget_parse(bad[i], &n), <, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_fit_into_the_whole),
		cmocka_unit_test(sizes_are_written_as_systemd_writes_them),
		cmocka_unit_test(the_operators_number_counts),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
