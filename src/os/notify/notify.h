/* os/notify: tells the service manager how far we are (sd_notify(3), without libsystemd). Without one, nothing happens. */
#ifndef WARREN_OS_NOTIFY_NOTIFY_H
#define WARREN_OS_NOTIFY_NOTIFY_H

#include "base/attr/attr.h"

/* The programs that we start must not speak for us: call early. Reads NOTIFY_SOCKET and removes it from the environment. */
void notify_init(void);
void notify_ready(void); /* READY=1: the LocalAPI socket listens, the hub answers */
void notify_stopping(void);
void notify_status(const char *fmt, ...) PRINTF_LIKE(1, 2); /* STATUS=, one line for people */

#endif
