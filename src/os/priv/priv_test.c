/* Each case runs in a child: what is given up does not come back. */
#include "os/priv/priv.h"
#include "testlib/check.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int in_child(int (*fn)(void))
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0)
		_exit(fn());
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The number of the line of the first thing that does not hold. */
#define HOLDS(c) \
	do { \
		if (!(c)) \
			return __LINE__ % 256; \
	} while (0)

static unsigned long long caps(const char *which)
{
	unsigned long long v = ~0ull;
	char line[128];
	FILE *f = fopen("/proc/self/status", "r");

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, which, strlen(which)) == 0)
			v = strtoull(line + strlen(which), NULL, 16);
	if (f)
		fclose(f);
	return v;
}

static int hardened(void)
{
	HOLDS(priv_harden() == 0);
	HOLDS(prctl(PR_GET_DUMPABLE) == 0);
	HOLDS(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	HOLDS(umask(0) == 077);
	return 0;
}

static void hardened_process_has_private_files_and_no_dumps(void **state)
{
	CHECK_INT(in_child(hardened), ==, 0);
}

static int network_only(void)
{
	const unsigned long long three =
		1ull << 10 | 1ull << 12 | 1ull << 13; /* bind service, net admin, net raw */
	unsigned long long had = caps("CapPrm:");

	HOLDS(priv_keep_network() == 0);
	HOLDS(caps("CapPrm:") == (had & three));
	HOLDS(caps("CapEff:") == (had & three));
	HOLDS(caps("CapAmb:") == 0);
	HOLDS(geteuid() != 0 || (caps("CapBnd:") & ~three) == 0);
	return 0;
}

static void node_keeps_what_the_network_needs(void **state)
{
	CHECK_INT(in_child(network_only), ==, 0);
}

static int nothing(void)
{
	HOLDS(priv_drop_all(NULL) == 0);
	HOLDS(caps("CapPrm:") == 0 && caps("CapEff:") == 0);
	return 0;
}

static void hub_keeps_nothing(void **state)
{
	CHECK_INT(in_child(nothing), ==, 0);
}

static int nobody(void)
{
	char file[64], dir[] = "/tmp/warren-priv-XXXXXX";
	struct passwd *pw = getpwnam("nobody");
	struct stat st;
	FILE *f;

	HOLDS(pw && mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/state", dir);
	f = fopen(file, "w");
	HOLDS(f);
	fclose(f);
	HOLDS(priv_harden() == 0);
	HOLDS(priv_give_dir(dir, "nobody") == 0);
	HOLDS(priv_drop_all("nobody") == 0);
	HOLDS(getuid() == pw->pw_uid && geteuid() == pw->pw_uid && getgid() == pw->pw_gid);
	HOLDS(setuid(0) < 0 && caps("CapPrm:") == 0);
	HOLDS(prctl(PR_GET_DUMPABLE) == 0);
	HOLDS(stat(file, &st) == 0 && st.st_uid == pw->pw_uid && unlink(file) == 0 &&
		rmdir(dir) == 0);
	return 0;
}

static int unknown(void)
{
	HOLDS(priv_drop_all("no-such-user-here") == -ENOENT);
	HOLDS(priv_give_dir("/nonexistent", "nobody") == -ENOENT);
	return 0;
}

static void root_becomes_another_user_and_cannot_return(void **state)
{
	if (geteuid() != 0) {
		print_message("# skipped: becoming another user needs root\n");
		skip();
	}
	CHECK_INT(in_child(nobody), ==, 0);
	CHECK_INT(in_child(unknown), ==, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hardened_process_has_private_files_and_no_dumps),
		cmocka_unit_test(node_keeps_what_the_network_needs),
		cmocka_unit_test(hub_keeps_nothing),
		cmocka_unit_test(root_becomes_another_user_and_cannot_return),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
