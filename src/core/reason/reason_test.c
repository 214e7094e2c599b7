#include "core/reason/reason.h"
#include "testlib/check.h"

#include <errno.h>

static const struct reason base = { .step = REASON_HUB_KEY,
	.rc = -ECONNREFUSED,
	.host = "hub.example.com",
	.port = 443,
	.tls = true };
static char text[REASON_MAX];

static const char *of(enum reason_step step, int rc)
{
	struct reason r = base;

	r.step = step;
	r.rc = rc;
	return reason_format(&r, text);
}

/* Ends as a sentence, and no mark is left open. */
static bool is_sentence(const char *s)
{
	return *s && s[strlen(s) - 1] == '.' && !strchr(s, '{') && !strchr(s, '}');
}

static void every_cause_of_every_step_is_a_sentence(void **state)
{
	(void)state;
	for (int step = REASON_HUB_KEY; step <= REASON_RELAY; step++) {
		for (int rc = 1; rc < 200; rc++)
			CHECK_TRUE(is_sentence(of((enum reason_step)step, -rc)));
		for (int rc = ERR_FIRST + 1; rc < ERR_FIRST + 100; rc++)
			CHECK_TRUE(is_sentence(of((enum reason_step)step, -rc)));
		for (int status = 100; status < 600; status++)
			CHECK_TRUE(is_sentence(of((enum reason_step)step, err_http(status))));
	}
}

static void marks_are_filled_in(void **state)
{
	struct reason r = base;

	(void)state;
	CHECK_STR(of(REASON_HUB_KEY, -ECONNREFUSED),
		"nothing listens at hub.example.com port 443 (connection refused). Check that the "
		"hub runs, and that this is its port.");
	r.rc = -ERR_CERT_NOT_YET;
	r.wall = 86400000;
	CHECK_TRUE(
		strstr(reason_format(&r, text), "which says 1970-01-02 00:00:00. Set the clock"));
	CHECK_TRUE(strstr(of(REASON_HUB_SESSION, err_http(404)), "HTTP status 404"));
}

static void where_a_redirect_leads_is_told_if_it_is_harmless(void **state)
{
	struct reason r = base;

	(void)state;
	r.rc = err_http(301);
	r.location = "https://other.example.com/";
	CHECK_STR(reason_format(&r, text),
		"hub.example.com sends on to https://other.example.com/. If that is the hub, use that "
		"address; if it is a page of this network, log in there first.");
	r.location = "https://x/\033[2J";
	CHECK_TRUE(strstr(reason_format(&r, text), "another address (HTTP status 301)"));
}

static void long_names_are_cut(void **state)
{
	char host[1000];
	struct reason r = base;

	(void)state;
	memset(host, 'a', sizeof(host));
	host[sizeof(host) - 1] = 0;
	r.host = host;
	CHECK_INT(strlen(reason_format(&r, text)), ==, REASON_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cause_of_every_step_is_a_sentence),
		cmocka_unit_test(marks_are_filled_in),
		cmocka_unit_test(where_a_redirect_leads_is_told_if_it_is_harmless),
		cmocka_unit_test(long_names_are_cut),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
