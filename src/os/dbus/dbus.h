/*
 * os/dbus: a client of the system's message bus: calls with an answer, and signals. By hand over proto/dbus, because libsystemd costs an idle
 * daemon 1.3 MB and five more libraries for what is 300 lines here.
 *
 * Source: the D-Bus specification, "Authentication Protocol" and "Message Bus".
 */
#ifndef WARREN_OS_DBUS_DBUS_H
#define WARREN_OS_DBUS_DBUS_H

#include "os/loop/loop.h"
#include "proto/dbus/dbus.h"

#define DBUS_SYSTEM_SOCKET "/run/dbus/system_bus_socket"
#define DBUS_CALL_TIMEOUT SEC(5)
enum { DBUS_CALLS_MAX = 64 }; /* that wait for an answer */

struct dbus;

struct dbus_cfg {
	struct loop *loop;
	const char *socket;
	/* A signal that was asked for. Views: during the call. */
	void (*on_signal)(void *ctx, const struct dbus_head *h, struct dbus_in *body);
	/* The bus is gone; all that waited has failed. From the loop, once; dbus_close may be called. */
	void (*on_lost)(void *ctx, int rc);
	void *ctx;
};

/* Authenticates as who we are, and says hello; calls may be made at once. -errno: no bus. */
MUST_USE int dbus_open(struct dbus **ret, const struct dbus_cfg *cfg);
/* Nothing is called any more. What was called but not sent yet is sent as far as the socket takes it. */
struct dbus *dbus_close(struct dbus *b);

/*
 * The answer, from the loop, once: rc 0 and its body; -ERR_PEER: head->error says what; -ETIMEDOUT, -ERR_CLOSED: head and body are NULL.
 */
typedef void (*dbus_fn)(void *ctx, int rc, const struct dbus_head *head, struct dbus_in *body);

/* A call is written between begin and end. fn NULL: no answer is wanted. -ERR_TOO_MANY, -ERR_TOO_BIG, -ENOMEM: it was not made. */
void dbus_begin(struct dbus *b, struct dbus_out *o, const struct dbus_method *m);
MUST_USE int dbus_end(struct dbus *b, struct dbus_out *o, dbus_fn fn);

/* Signals that match the rule ("type='signal',...") are told. */
MUST_USE int dbus_match(struct dbus *b, const char *rule);
/* Has the name an owner? Answers with a bool. */
MUST_USE int dbus_has_owner(struct dbus *b, const char *name, dbus_fn fn);
/* org.freedesktop.DBus.Properties.Get: answers with a variant. */
MUST_USE int dbus_get_property(struct dbus *b, const char *destination, const char *path,
	const char *interface, const char *name, dbus_fn fn);

#endif
