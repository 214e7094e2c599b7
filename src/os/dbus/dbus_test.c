/* A real bus, started for each case, and what is no bus. */
#include "os/dbus/dbus.h"
#include "testlib/check.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[64], path[128];
static struct loop *loop;
static struct dbus *bus;
static pid_t daemon_pid;
static int n_answers, last_rc, n_signals, n_lost;
static bool last_bool;

static bool listens(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	bool yes;

	strcpy(at.sun_path, path);
	yes = connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
	close(fd);
	return yes;
}

static void start_daemon(void)
{
	char address[160];

	snprintf(address, sizeof(address), "--address=unix:path=%s", path);
	daemon_pid = fork();
	if (daemon_pid == 0) {
		execlp("dbus-daemon", "dbus-daemon", "--session", "--nofork", "--nopidfile",
			address, NULL);
		_exit(127);
	}
	for (int i = 0; i < 1000 && !listens(); i++) {
		if (waitpid(daemon_pid, NULL, WNOHANG) == daemon_pid) {
			daemon_pid = 0;
			print_message("# skipped: there is no dbus-daemon\n");
			skip();
		}
		usleep(10000);
	}
}

static void stop_daemon(void)
{
	if (!daemon_pid)
		return;
	kill(daemon_pid, SIGKILL);
	waitpid(daemon_pid, NULL, 0);
	daemon_pid = 0;
}

static int set_up(void **state)
{
	strcpy(dir, "/tmp/warren-dbus-XXXXXX");
	CHECK_TRUE(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/bus", dir);
	CHECK_INT(loop_new(&loop), ==, 0);
	n_answers = n_signals = n_lost = 0;
	bus = NULL;
	return 0;
}

static int tear_down(void **state)
{
	bus = dbus_close(bus);
	loop_free(loop);
	stop_daemon();
	unlink(path);
	return rmdir(dir);
}

static void on_answer(void *ctx, int rc, const struct dbus_head *h, struct dbus_in *body)
{
	n_answers++;
	last_rc = rc;
	last_bool = rc == 0 && dbus_get_bool(body);
	loop_stop(loop);
}

static void on_signal(void *ctx, const struct dbus_head *h, struct dbus_in *body)
{
	n_signals += view_eq(h->member, VIEW_LIT("NameOwnerChanged"));
	loop_stop(loop);
}

static void on_lost(void *ctx, int rc)
{
	n_lost++;
	bus = dbus_close(bus);
	loop_stop(loop);
}

/* The bus also tells each client its name. */
static void wait_for_answers(int n)
{
	while (n_answers < n)
		loop_run(loop);
}

static int open_bus(struct dbus **ret)
{
	const struct dbus_cfg cfg = {
		.loop = loop, .socket = path, .on_signal = on_signal, .on_lost = on_lost
	};

	return dbus_open(ret, &cfg);
}

static void names_have_owners_or_none(void **state)
{
	start_daemon();
	CHECK_INT(open_bus(&bus), ==, 0);
	CHECK_INT(dbus_has_owner(bus, "org.freedesktop.DBus", on_answer), ==, 0);
	wait_for_answers(1);
	CHECK_TRUE(last_rc == 0 && last_bool);
	CHECK_INT(dbus_has_owner(bus, "org.example.Nobody", on_answer), ==, 0);
	wait_for_answers(2);
	CHECK_TRUE(last_rc == 0 && !last_bool);
	CHECK_INT(n_answers, ==, 2);
}

static void an_error_is_an_answer(void **state)
{
	start_daemon();
	CHECK_INT(open_bus(&bus), ==, 0);
	CHECK_INT(dbus_get_property(bus, "org.example.Nobody", "/", "org.example", "X", on_answer),
		==, 0);
	wait_for_answers(1);
	CHECK_INT(last_rc, ==, -ERR_PEER);
}

static void signals_that_were_asked_for_come(void **state)
{
	struct dbus *other;

	start_daemon();
	CHECK_INT(open_bus(&bus), ==, 0);
	CHECK_INT(dbus_match(bus, "type='signal',member='NameOwnerChanged'"), ==, 0);
	CHECK_INT(dbus_has_owner(bus, "org.freedesktop.DBus", on_answer), ==, 0);
	wait_for_answers(1);
	n_signals = 0;
	CHECK_INT(open_bus(&other), ==, 0);
	while (!n_signals)
		loop_run(loop);
	dbus_close(other);
}

static void a_bus_that_goes_fails_what_waits(void **state)
{
	start_daemon();
	CHECK_INT(open_bus(&bus), ==, 0);
	CHECK_INT(dbus_has_owner(bus, "org.freedesktop.DBus", on_answer), ==, 0);
	wait_for_answers(1);
	kill(daemon_pid, SIGSTOP);
	CHECK_INT(dbus_has_owner(bus, "org.freedesktop.DBus", on_answer), ==, 0);
	stop_daemon();
	while (!n_lost)
		loop_run(loop);
	CHECK_INT(last_rc, ==, -ERR_CLOSED);
	CHECK_TRUE(!bus);
}

static void no_bus_is_said_at_once(void **state)
{
	CHECK_INT(open_bus(&bus), ==, -ENOENT);
}

/* Calls have a bound; none is made beyond it. */
static void calls_that_wait_are_bounded(void **state)
{
	start_daemon();
	CHECK_INT(open_bus(&bus), ==, 0);
	for (int i = 0; i < DBUS_CALLS_MAX - 1; i++)
		CHECK_INT(dbus_has_owner(bus, "org.freedesktop.DBus", on_answer), ==, 0);
	CHECK_INT(dbus_has_owner(bus, "org.freedesktop.DBus", on_answer), ==, -ERR_TOO_MANY);
	wait_for_answers(DBUS_CALLS_MAX - 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(names_have_owners_or_none),
		T(an_error_is_an_answer),
		T(signals_that_were_asked_for_come),
		T(a_bus_that_goes_fails_what_waits),
		T(no_bus_is_said_at_once),
		T(calls_that_wait_are_bounded),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
