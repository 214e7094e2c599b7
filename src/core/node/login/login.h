/* Who we are to the hub: the control client, its logins, and the end of one. */
#ifndef WARREN_CORE_NODE_LOGIN_LOGIN_H
#define WARREN_CORE_NODE_LOGIN_LOGIN_H

#include "core/node/state/state.h"

/* login.c: what node_start, node_login and node_logout do */
void node_login_start(struct node *a, const char *auth_key);
void node_login_begin(struct node *a);
void node_login_end(struct node *a);
void node_forget(struct node *a);

/* control.c */
void node_control_run_deferred(struct node *a);
void node_control_pause(struct node *a); /* or go on, as the preferences say */

/* hub_ops.c */
void node_auth_key_set(struct node *a, const char *key); /* or NULL; the old one is wiped */

#endif
