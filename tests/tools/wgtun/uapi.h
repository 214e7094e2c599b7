/*
 * tests/tools/wgtun/uapi: the cross-platform userspace configuration protocol of WireGuard (wireguard.com/xplatform):
 * lines key=value, a blank line ends an operation. Listens at /var/run/wireguard/<interface>.sock.
 */
#ifndef WARREN_TESTS_TOOLS_WGTUN_UAPI_H
#define WARREN_TESTS_TOOLS_WGTUN_UAPI_H

#include "base/buf/buf.h"
#include "wgtun.h"

enum { UAPI_CLIENTS = 8, UAPI_MAX = 64 << 20 };

struct uapi;

struct uapi_client {
	struct uapi *uapi;
	struct loop_watch *watch;
	int fd; /* -1: free */
	struct buf in, out;
};

struct uapi {
	struct loop_watch *watch;
	int fd;
	char path[108];
	struct wgtun *w;
	struct uapi_client client[UAPI_CLIENTS];
};

MUST_USE int uapi_open(struct uapi *u, struct wgtun *w);
void uapi_close(struct uapi *u);

/* One operation, without its blank line, and the whole answer with it (uapi_op.c). */
MUST_USE int uapi_run(struct wgtun *w, const char *op, size_t len, struct buf *out);

#endif
