/* Shared by the files of core/node/login. */
#ifndef WARREN_CORE_NODE_LOGIN_INTERNAL_H
#define WARREN_CORE_NODE_LOGIN_INTERNAL_H

#include "core/node/login/login.h"

/* control.c */
void node_control_begin(struct node *a);
void node_control_end(struct node *a);
/* With the key of an earlier hub's making, nothing of that hub's is worth anything. */
void node_hub_leave(struct node *a);

/* hub_ops.c */
extern const struct ctlclient_ops node_control_ops;
void node_control_url_store(struct node *a, const char *url);
void node_tell_login_failed(struct node *a);

#endif
