/* What of a program's output gets to a person. The guarded program is a child: its stdio is not ours. */
#include "term/term.h"
#include "testlib/check.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static char got[65536];

/* Runs say in a child and reads what came out of both descriptors. */
static void hear(void (*say)(void))
{
	size_t n = 0;
	ssize_t k;
	int p[2];
	pid_t pid;

	CHECK_INT(pipe(p), ==, 0);
	fflush(NULL);
	pid = fork();
	CHECK_INT(pid, >=, 0);
	if (pid == 0) {
		dup2(p[1], STDOUT_FILENO);
		dup2(p[1], STDERR_FILENO);
		close(p[0]);
		close(p[1]);
		term_guard();
		say();
		fflush(stdout);
		_exit(0);
	}
	close(p[1]);
	while (n < sizeof(got) - 1 && (k = read(p[0], got + n, sizeof(got) - 1 - n)) > 0)
		n += (size_t)k;
	got[n] = 0;
	close(p[0]);
	waitpid(pid, NULL, 0);
}

static void foreign(void)
{
	printf("os: %s\n", "\033]0;owned\007\033[2Jred \xc2\x9b"
			   "0m \xe2\x80\xae \x9b raw \x7f");
	puts("tab\tumlaut \xc3\xa4 picture \xf0\x9f\x98\x80");
	for (const char *p = "byte by byte \xe2\x94\x82 \xe2\x80\xae!\r\nreturn\rover\n"; *p; p++)
		putchar(*p);
	printf("cut \xe2\x94");
	printf("\n");
	fflush(stdout);
	fprintf(stderr, "error: %s\n", "\033[31mred");
}

static void nothing_steers_a_terminal(void **state)
{
	hear(foreign);
	CHECK_STR(got,
		"os: ?]0;owned??[2Jred ?0m ? ? raw ?\ntab\tumlaut \xc3\xa4 picture \xf0\x9f\x98\x80\n"
		"byte by byte \xe2\x94\x82 ?!\r\nreturn?over\ncut ??\nerror: ?[31mred\n");
}

static void its_own(void)
{
	printf("a\033");
	term_own(stdout, true);
	printf("\033[1m");
	term_own(stdout, false);
	printf("b\033\n");
	term_document(stdout, "{ \033\n", 4);
	printf("\033\n");
}

static void what_is_its_own_passes(void **state)
{
	hear(its_own);
	CHECK_STR(got, "a?\033[1mb?\n{ \033\n?\n");
}

static void much(void)
{
	for (int i = 0; i < 3000; i++)
		printf("%05d \xc3\xa4\xc2\x85\n", i);
}

static void nothing_is_lost(void **state)
{
	char *p = got;

	hear(much);
	for (int i = 0; i < 3000; i++) {
		char line[16];
		int n = snprintf(line, sizeof(line), "%05d \xc3\xa4?\n", i);

		CHECK_MEM(p, line, (size_t)n);
		p += n;
	}
	CHECK_INT(*p, ==, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_steers_a_terminal),
		cmocka_unit_test(what_is_its_own_passes),
		cmocka_unit_test(nothing_is_lost),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
