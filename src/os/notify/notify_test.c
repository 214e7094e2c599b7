#include "os/notify/notify.h"
#include "testlib/check.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int manager(const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	memcpy(a.sun_path + 1, name, strlen(name));
	CHECK_INT(bind(fd, (struct sockaddr *)&a,
			  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name))),
		==, 0);
	return fd;
}

static void expect(int fd, const char *text)
{
	char got[1024];
	ssize_t n = recv(fd, got, sizeof(got) - 1, 0);

	CHECK_TRUE(n >= 0);
	got[n] = 0;
	CHECK_STR(got, text);
}

static void manager_hears_ready_and_one_line_of_status(void **state)
{
	char name[64], var[72];
	int fd;

	snprintf(name, sizeof(name), "warren-notify-%d", getpid());
	snprintf(var, sizeof(var), "@%s", name);
	fd = manager(name);
	setenv("NOTIFY_SOCKET", var, 1);
	notify_init();
	CHECK_TRUE(!getenv("NOTIFY_SOCKET"));
	notify_ready();
	expect(fd, "READY=1");
	notify_status("Connected; %s", "100.64.0.1\nREADY=0");
	expect(fd, "STATUS=Connected; 100.64.0.1 READY=0");
	close(fd);
}

static void without_a_manager_nothing_happens(void **state)
{
	unsetenv("NOTIFY_SOCKET");
	notify_init();
	notify_ready();
	setenv("NOTIFY_SOCKET", "relative", 1);
	notify_init();
	notify_status("x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(manager_hears_ready_and_one_line_of_status),
		cmocka_unit_test(without_a_manager_nothing_happens),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
