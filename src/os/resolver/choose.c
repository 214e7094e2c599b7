/*
 * Who manages the system's resolver, from what this machine shows:
 *
 *	/etc/resolv.conf          and                                             then
 *	-----------------------   ---------------------------------------------   ------------------
 *	missing                                                                   file
 *	says systemd-resolved     it is asked (stub, or nsswitch), and runs       systemd-resolved
 *	says systemd-resolved     it is not asked, or does not run                file
 *	says resolvconf           the program is there                            that program
 *	says resolvconf           the program is gone                             file
 *	says NetworkManager       it gives questions to systemd-resolved          systemd-resolved
 *	says NetworkManager       else, and says it in a file of its own, too     NetworkManager
 *	says NetworkManager       else                                            file
 *	says nobody, or us                                                        file
 */
#include "os/resolver/internal.h"

#include <string.h>

static const char *const choices[] = {
	[RESOLVER_AUTO] = "auto",
	[RESOLVER_USE_RESOLVED] = "resolved",
	[RESOLVER_USE_RESOLVCONF] = "resolvconf",
	[RESOLVER_USE_FILE] = "file",
	[RESOLVER_OFF] = "off",
};

int resolver_choice_parse(const char *s, enum resolver_choice *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(choices); i++) {
		if (strcmp(s, choices[i]) != 0)
			continue;
		*ret = (enum resolver_choice)i;
		return 0;
	}
	return -ERR_BAD_VALUE;
}

const char *resolver_manager_name(enum resolver_manager m)
{
	switch (m) {
	case RESOLVER_NOBODY:
		return "none";
	case RESOLVER_FILE:
		return "file";
	case RESOLVER_NETWORKMANAGER:
		return "NetworkManager";
	case RESOLVER_DEBIAN_RESOLVCONF:
		return "resolvconf";
	case RESOLVER_OPENRESOLV:
		return "openresolv";
	case RESOLVER_RESOLVED:
		return "systemd-resolved";
	}
	return "none";
}

static enum resolver_manager which_program(const struct resolver_facts *f)
{
	return f->is_debian ? RESOLVER_DEBIAN_RESOLVCONF : RESOLVER_OPENRESOLV;
}

static enum resolver_manager by_owner(const struct resolver_facts *f, const char **why)
{
	bool asked = f->stub || f->nss_resolve;

	switch (f->owner) {
	case RESOLVCONF_RESOLVED:
	case RESOLVCONF_NETWORKMANAGER:
		if (asked && f->resolved_runs) {
			*why = "programs ask systemd-resolved, and it runs";
			return RESOLVER_RESOLVED;
		}
		if (f->owner == RESOLVCONF_NETWORKMANAGER && f->nm_file) {
			*why = "NetworkManager writes /etc/resolv.conf itself";
			return RESOLVER_NETWORKMANAGER;
		}
		*why = f->owner == RESOLVCONF_NETWORKMANAGER
			       ? "/etc/resolv.conf names NetworkManager, which does not run"
		       : asked ? "/etc/resolv.conf names systemd-resolved, which does not run"
			       : "/etc/resolv.conf names systemd-resolved, but programs do not ask it";
		return RESOLVER_FILE;
	case RESOLVCONF_RESOLVCONF:
		if (f->has_resolvconf) {
			*why = "resolvconf writes /etc/resolv.conf";
			return which_program(f);
		}
		*why = "/etc/resolv.conf names resolvconf, which is not installed";
		return RESOLVER_FILE;
	case RESOLVCONF_NOBODY:
	case RESOLVCONF_WARREN:
	case RESOLVCONF_TAILSCALE:
		*why = "no other program manages /etc/resolv.conf";
		return RESOLVER_FILE;
	}
	return RESOLVER_FILE;
}

enum resolver_manager resolver_choose(
	enum resolver_choice choice, const struct resolver_facts *f, const char **why)
{
	switch (choice) {
	case RESOLVER_OFF:
		*why = "--dns=off";
		return RESOLVER_NOBODY;
	case RESOLVER_USE_FILE:
		*why = "--dns=file";
		return RESOLVER_FILE;
	case RESOLVER_USE_RESOLVED:
		*why = "--dns=resolved";
		return RESOLVER_RESOLVED;
	case RESOLVER_USE_RESOLVCONF:
		*why = "--dns=resolvconf";
		return which_program(f);
	case RESOLVER_AUTO:
		break;
	}
	if (!f->missing)
		return by_owner(f, why);
	*why = "there was no /etc/resolv.conf";
	return RESOLVER_FILE;
}
