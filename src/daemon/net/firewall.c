#include "daemon/net/firewall.h"

#include "os/file/file.h"
#include "os/firewall/firewall.h"
#include "os/log/log.h"
#include "proto/tsaddr/tsaddr.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdlib.h>
#include <unistd.h>

/* With it, a strict rp_filter asks for the route of a marked answer by its mark. */
#define SRC_VALID_MARK "/proc/sys/net/ipv4/conf/all/src_valid_mark"

struct net_firewall {
	struct engine *e;
	char ifname[IFNAMSIZ];
	struct firewall *rules; /* NULL: none yet, or none to be had */
	bool set_valid_mark;    /* by us: it was off before */
	bool told, legacy_told;
	bool begun; /* what an earlier life left of a kill switch was looked for */
};

static char first_of(const char *path)
{
	struct buf b;
	char c = 0;

	buf_init(&b, 64);
	if (file_read(path, &b) == 0 && buf_len(&b))
		c = (char)*buf_data(&b);
	buf_fini(&b);
	return c;
}

static void write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		log_warn("firewall", "a setting of the kernel could not be changed",
			"file=%s err=%s", path, err_text(-errno));
	if (fd >= 0)
		close(fd);
}

static bool is_strict(const char *interface)
{
	char path[64 + IFNAMSIZ];

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/rp_filter", interface);
	return first_of(path) == '1';
}

/* Answers to our own sockets come by the way that those take, which is not that of everybody while an exit node is in use. */
static void let_answers_in(struct net_firewall *f, bool on, const char *default_if)
{
	on = on && (is_strict("all") || (*default_if && is_strict(default_if)));
	if (on && !f->set_valid_mark && first_of(SRC_VALID_MARK) == '0') {
		write_to(SRC_VALID_MARK, "1\n");
		f->set_valid_mark = true;
	} else if (!on && f->set_valid_mark) {
		write_to(SRC_VALID_MARK, "0\n");
		f->set_valid_mark = false;
	}
}

static void tell(struct net_firewall *f, int rc)
{
	if (rc < 0 && !f->told)
		log_warn("firewall", "the rules of the firewall could not be set",
			"tun=%s err=%s%s", f->ifname, err_text(rc),
			rc == -EOPNOTSUPP || rc == -EPROTONOSUPPORT
				? " (the kernel has no nftables)"
				: "");
	f->told = rc < 0;
	engine_set_os_fault(f->e, NODE_FAULT_FIREWALL, rc < 0);
}

/* Rules of the old ip_tables that ours could not be put into. */
static void tell_legacy(struct net_firewall *f)
{
	int rc = f->rules ? firewall_legacy(f->rules) : 0;

	if (rc < 0 && !f->legacy_told)
		log_warn("firewall", "the rules of iptables-legacy could not be changed",
			"tun=%s err=%s%s", f->ifname, err_text(rc),
			rc == -ENOENT ? " (iptables-legacy-restore is missing)" : "");
	f->legacy_told = rc < 0;
	engine_set_os_fault(f->e, NODE_FAULT_OLD_TABLES, rc < 0);
}

static void on_look(void *ctx, int rc, bool repaired)
{
	struct net_firewall *f = ctx;

	if (repaired)
		log_info("firewall", "another program had changed our rules, or has new chains",
			"now=%s", rc < 0 ? err_text(rc) : "as it should be");
	tell(f, rc);
	tell_legacy(f);
}

int net_firewall_open(struct net_firewall **ret, struct engine *e, const char *ifname)
{
	struct net_firewall *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->e = e;
	snprintf(f->ifname, sizeof(f->ifname), "%s", ifname);
	*ret = f;
	return 0;
}

struct net_firewall *net_firewall_close(struct net_firewall *f)
{
	if (!f)
		return NULL;
	firewall_close(f->rules);
	let_answers_in(f, false, "");
	free(f);
	return NULL;
}

/* Providers give addresses of the tailnet's range, too. */
static void take_nets(struct firewall_config *w, const struct netmon_state *around)
{
	for (size_t i = 0; i < around->n_nets && w->n_nets < FIREWALL_NETS_MAX; i++)
		if (around->nets[i].ip.family == 4 &&
			ipprefix_contains(tsaddr_cgnat, around->nets[i].ip))
			w->nets[w->n_nets++] = ipprefix_masked(around->nets[i]);
}

/* Where it lets through to: the networks that the tunnel leaves alone, too. */
static void take_lans(struct firewall_config *w, const struct lan *lan)
{
	for (size_t i = 0; i < lan->n_local && w->n_lans < FIREWALL_LANS_MAX; i++)
		w->lans[w->n_lans++] = lan->local[i];
}

/* Is there anything to do for it? One that an earlier life left has to go if it is not wanted any more. */
static bool is_needed(struct net_firewall *f, const struct firewall_config *want)
{
	bool left = !f->begun && firewall_has_killswitch(f->ifname) > 0;

	f->begun = true;
	return want->mode != FIREWALL_OFF || want->killswitch || left;
}

void net_firewall_apply(struct net_firewall *f, const struct node_net_config *c,
	const struct lan *lan, const struct netmon_state *around, uint16_t port4, uint16_t port6)
{
	struct firewall_config want = { .mode = (enum firewall_mode)c->netfilter,
		.port4 = port4,
		.port6 = port6,
		.masquerade = c->masquerade,
		.stateful = c->stateful,
		.spoofing_allowed = c->spoofing_allowed,
		.killswitch = c->killswitch };
	int rc = 0;

	take_nets(&want, around);
	take_lans(&want, lan);
	if (!f->rules && is_needed(f, &want))
		rc = firewall_open(&f->rules, f->e->loop, f->ifname, on_look, f);
	if (f->rules)
		rc = firewall_apply(f->rules, &want);
	tell(f, rc);
	tell_legacy(f);
	let_answers_in(f, want.mode == FIREWALL_ON, around->default_if);
}
