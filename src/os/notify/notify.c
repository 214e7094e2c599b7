#include "os/notify/notify.h"

#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct {
	struct sockaddr_un to;
	socklen_t to_len; /* 0: no service manager */
} self;

void notify_init(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t n = path ? strlen(path) : 0;

	self.to_len = 0;
	if (n > 1 && n < sizeof(self.to.sun_path) && (path[0] == '/' || path[0] == '@')) {
		self.to = (struct sockaddr_un){ .sun_family = AF_UNIX };
		memcpy(self.to.sun_path, path, n);
		if (path[0] == '@')
			self.to.sun_path[0] = 0; /* abstract */
		self.to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	}
	unsetenv("NOTIFY_SOCKET");
}

static void send_text(const char *text)
{
	int fd;

	if (!self.to_len)
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* The manager times out if it does not hear from us; there is nothing better to do. */
	(void)sendto(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT,
		(struct sockaddr *)&self.to, self.to_len);
	close(fd);
}

void notify_ready(void)
{
	send_text("READY=1");
}

void notify_stopping(void)
{
	send_text("STOPPING=1");
}

void notify_status(const char *fmt, ...)
{
	char text[512] = "STATUS=";
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + 7, sizeof(text) - 7, fmt, ap);
	va_end(ap);
	for (char *p = text; *p; p++)
		if (*p == '\n')
			*p = ' '; /* a new line would be another variable */
	send_text(text);
}
