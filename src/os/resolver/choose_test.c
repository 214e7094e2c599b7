/* The table of choose.c, row by row. */
#include "os/resolver/internal.h"
#include "testlib/check.h"

static void the_manager_follows_from_what_the_machine_shows(void **state)
{
	static const struct {
		struct resolver_facts f;
		enum resolver_choice choice;
		enum resolver_manager want;
	} row[] = {
		{ { .missing = true }, RESOLVER_AUTO, RESOLVER_FILE },
		{ { .owner = RESOLVCONF_NOBODY }, RESOLVER_AUTO, RESOLVER_FILE },
		{ { .owner = RESOLVCONF_NOBODY, .stub = true, .resolved_runs = true },
			RESOLVER_AUTO, RESOLVER_FILE },
		{ { .owner = RESOLVCONF_RESOLVED, .stub = true, .resolved_runs = true },
			RESOLVER_AUTO, RESOLVER_RESOLVED },
		{ { .owner = RESOLVCONF_RESOLVED, .nss_resolve = true, .resolved_runs = true },
			RESOLVER_AUTO, RESOLVER_RESOLVED },
		{ { .owner = RESOLVCONF_RESOLVED, .resolved_runs = true }, RESOLVER_AUTO,
			RESOLVER_FILE },
		{ { .owner = RESOLVCONF_RESOLVED, .stub = true }, RESOLVER_AUTO, RESOLVER_FILE },
		{ { .owner = RESOLVCONF_NETWORKMANAGER }, RESOLVER_AUTO, RESOLVER_FILE },
		{ { .owner = RESOLVCONF_NETWORKMANAGER, .stub = true }, RESOLVER_AUTO,
			RESOLVER_FILE },
		{ { .owner = RESOLVCONF_NETWORKMANAGER, .nm_file = true }, RESOLVER_AUTO,
			RESOLVER_NETWORKMANAGER },
		{ { .owner = RESOLVCONF_NETWORKMANAGER, .nm_file = true }, RESOLVER_USE_FILE,
			RESOLVER_FILE },
		{ { .owner = RESOLVCONF_NOBODY, .nm_file = true }, RESOLVER_AUTO, RESOLVER_FILE },
		{ { .owner = RESOLVCONF_NETWORKMANAGER,
			  .nm_file = true,
			  .stub = true,
			  .resolved_runs = true },
			RESOLVER_AUTO, RESOLVER_RESOLVED },
		{ { .owner = RESOLVCONF_NETWORKMANAGER, .stub = true, .resolved_runs = true },
			RESOLVER_AUTO, RESOLVER_RESOLVED },
		{ { .owner = RESOLVCONF_RESOLVCONF }, RESOLVER_AUTO, RESOLVER_FILE },
		{ { .owner = RESOLVCONF_RESOLVCONF, .has_resolvconf = true }, RESOLVER_AUTO,
			RESOLVER_OPENRESOLV },
		{ { .owner = RESOLVCONF_RESOLVCONF, .has_resolvconf = true, .is_debian = true },
			RESOLVER_AUTO, RESOLVER_DEBIAN_RESOLVCONF },
		{ { .owner = RESOLVCONF_TAILSCALE }, RESOLVER_AUTO, RESOLVER_FILE },
		{ { .owner = RESOLVCONF_WARREN }, RESOLVER_AUTO, RESOLVER_FILE },
		{ { .owner = RESOLVCONF_RESOLVED, .stub = true, .resolved_runs = true },
			RESOLVER_OFF, RESOLVER_NOBODY },
		{ { .owner = RESOLVCONF_RESOLVED, .stub = true, .resolved_runs = true },
			RESOLVER_USE_FILE, RESOLVER_FILE },
		{ { .owner = RESOLVCONF_NOBODY }, RESOLVER_USE_RESOLVED, RESOLVER_RESOLVED },
		{ { .is_debian = true }, RESOLVER_USE_RESOLVCONF, RESOLVER_DEBIAN_RESOLVCONF },
		{ { .is_debian = false }, RESOLVER_USE_RESOLVCONF, RESOLVER_OPENRESOLV },
	};

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		const char *why = NULL;

		CHECK_ROW("row %zu", i);
		CHECK_INT(resolver_choose(row[i].choice, &row[i].f, &why), ==, row[i].want);
		CHECK_TRUE(why && *why);
	}
}

static void the_flag_has_five_words(void **state)
{
	static const char *const words[] = { "auto", "resolved", "resolvconf", "file", "off" };
	enum resolver_choice c;

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		CHECK_INT(resolver_choice_parse(words[i], &c), ==, 0);
		CHECK_INT(c, ==, i);
	}
	CHECK_INT(resolver_choice_parse("", &c), ==, -ERR_BAD_VALUE);
	CHECK_INT(resolver_choice_parse("Auto", &c), ==, -ERR_BAD_VALUE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_manager_follows_from_what_the_machine_shows),
		cmocka_unit_test(the_flag_has_five_words),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
