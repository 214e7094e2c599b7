/* Standard input and output over a connection to another device: "ProxyCommand warren nc %h %p". */
#include "base/text/text.h"
#include "cli/common/common.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Writes all of it, to a socket or a pipe. */
static bool pass_on(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t k = write(fd, p, n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return false;
		p += k;
		n -= (size_t)k;
	}
	return true;
}

/* Until the other side has ended; ours may end before. */
static int copy(int sock)
{
	struct pollfd fds[2] = { { .fd = sock, .events = POLLIN },
		{ .fd = STDIN_FILENO, .events = POLLIN } };
	char mem[32768];

	for (;;) {
		ssize_t n;

		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return 1;
		if (fds[0].revents) {
			n = read(sock, mem, sizeof(mem));
			if (n <= 0 || !pass_on(STDOUT_FILENO, mem, (size_t)n))
				return n < 0;
		}
		if (fds[1].revents) {
			n = read(STDIN_FILENO, mem, sizeof(mem));
			if (n > 0 && !pass_on(sock, mem, (size_t)n))
				return 1;
			if (n <= 0) {
				shutdown(sock, SHUT_WR);
				fds[1].fd = -1;
			}
		}
	}
}

static int connect_to(const struct ipport *to)
{
	struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = htons(to->port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(to->port) };
	bool v4 = to->ip.family == 4;
	int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(&in4.sin_addr, to->ip.b, 4);
	memcpy(&in6.sin6_addr, to->ip.b, 16);
	if (fd < 0)
		return -errno;
	if (connect(fd, v4 ? (struct sockaddr *)&in4 : (struct sockaddr *)&in6,
		    v4 ? sizeof(in4) : sizeof(in6)) != 0) {
		int rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

static int run(struct cli *c, struct flag *flags, int argc, char **argv)
{
	struct lclient_request q = { .method = "POST", .path = "dial" };
	struct lclient_err err;
	struct ipn_status s;
	char addr[IPPORT_TEXT_MAX];
	struct ipport to;
	uint64_t port;
	int rc;

	if (!cli_get_status(c, false, &s) || !cli_is_running(c, &s))
		return 1;
	if (argc != 2)
		return cli_fail(c, "usage: warren nc <hostname-or-IP> <port>");
	if (text_u64(argv[1], strlen(argv[1]), 65535, &port) < 0)
		return cli_fail(c, "invalid port number \"%s\"", argv[1]);
	if (strpbrk(argv[0], "\r\n"))
		return cli_fail(c, "invalid host name");
	q.headers = arena_printf(&c->arena,
		"Upgrade: ts-dial\r\nConnection: upgrade\r\nDial-Host: %s\r\nDial-Port: %s\r\n"
		"Dial-Network: tcp\r\n",
		argv[0], argv[1]);
	rc = lclient_header(&c->api, &q, "Dial-Addr", addr, sizeof(addr), &err);
	if (rc < 0)
		return cli_fail_api(c,
			arena_printf(&c->arena, "Dial(\"%s\", %s): ", argv[0], argv[1]), rc, &err);
	if (ipport_parse(addr, strlen(addr), &to) < 0)
		return cli_fail(c, "this daemon does not let its callers connect by themselves");
	rc = connect_to(&to);
	if (rc < 0)
		return cli_fail(c, "Dial(\"%s\", %s): %s", argv[0], argv[1], err_text(rc));
	return copy(rc);
}

const struct cli_cmd cli_nc = {
	.name = "nc",
	.run = run,
	.usage = "nc <hostname-or-IP> <port>",
	.help = "Connect to a port of another device, standard input to output",
};
