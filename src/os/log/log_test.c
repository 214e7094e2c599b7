#include "os/log/log.h"
#include "testlib/check.h"

#include <fcntl.h>
#include <unistd.h>

/* What a piece of logging wrote, without its date. */
static char got[65536];

static void capture(void (*fn)(void))
{
	char path[] = "/tmp/warren-log-XXXXXX";
	int fd = mkstemp(path), old = dup(STDERR_FILENO);
	ssize_t n;

	CHECK_TRUE(fd >= 0 && old >= 0);
	unlink(path);
	dup2(fd, STDERR_FILENO);
	fn();
	dup2(old, STDERR_FILENO);
	close(old);
	n = pread(fd, got, sizeof(got) - 1, 0);
	close(fd);
	CHECK_TRUE(n >= 0);
	got[n] = 0;
}

static const char *without_date(const char *line)
{
	return strlen(line) > 20 && line[4] == '/' && line[19] == ' ' ? line + 20 : NULL;
}

static void one_line(void)
{
	log_warn("derp", "relay closed", "region=%u err=%s", 1u, "timed out");
}

static void line_has_place_sentence_and_fields_and_a_date_in_files(void **state)
{
	capture(one_line);
	CHECK_STR(without_date(got), "derp: relay closed region=1 err=timed out\n");
}

static void hostile_and_secret(void)
{
	log_info("hub", "register", "name=%s key=%s auth=%s", "a\nb\x1b[2J", "privkey:00ff00ff",
		"tskey-auth-abc_DEF");
}

static void hostile_beyond_ascii(void)
{
	log_info("hub", "register", "os=%s auth=%s",
		"c1\xc2\x9b"
		"0m bidi\xe2\x80\xae",
		"wkey-auth-1a2b-00ff");
}

static void control_characters_are_replaced_and_secrets_blanked(void **state)
{
	capture(hostile_and_secret);
	CHECK_STR(without_date(got),
		"hub: register name=a?b?[2J key=privkey:........ auth=tskey-............\n");
	capture(hostile_beyond_ascii);
	CHECK_STR(without_date(got), "hub: register os=c1?0m bidi? auth=wkey-..............\n");
}

static void too_long(void)
{
	static char big[4 * LOG_LINE_MAX];

	memset(big, 'x', sizeof(big) - 1);
	log_info("a", "b", "%s", big);
}

static void long_lines_are_cut(void **state)
{
	capture(too_long);
	CHECK_INT(strlen(got), ==, LOG_LINE_MAX);
	CHECK_INT(got[LOG_LINE_MAX - 1], ==, '\n');
}

static void three_levels(void)
{
	log_info("x", "info", NULL);
	log_v1("x", "one", NULL);
	log_v2("x", "two", NULL);
}

static size_t lines(void)
{
	size_t n = 0;

	for (const char *p = got; *p; p++)
		n += *p == '\n';
	return n;
}

static void verbose_opens_one_level_after_the_other(void **state)
{
	for (int v = 0; v < 3; v++) {
		log_set_verbose(v);
		capture(three_levels);
		CHECK_INT(lines(), ==, v + 1);
	}
	log_set_verbose(0);
}

static void many(void)
{
	for (int i = 0; i < 1000; i++)
		log_warn_limited("udp", "bad packet", "i=%d", i);
}

static void one_place_writes_a_burst_only(void **state)
{
	capture(many);
	CHECK_INT(lines(), ==, LOG_LIMIT_BURST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(line_has_place_sentence_and_fields_and_a_date_in_files),
		cmocka_unit_test(control_characters_are_replaced_and_secrets_blanked),
		cmocka_unit_test(long_lines_are_cut),
		cmocka_unit_test(verbose_opens_one_level_after_the_other),
		cmocka_unit_test(one_place_writes_a_burst_only),
	};

	unsetenv("JOURNAL_STREAM");
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
