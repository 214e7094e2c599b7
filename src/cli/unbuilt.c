#include "cli/unbuilt.h"

#include "base/attr/attr.h"

#include <string.h>

static const struct {
	const char *path, *meanwhile;
} commands[] = {
	{ "appc-routes", "" },
	{ "cert", "Get certificates with certbot or another ACME client." },
	{ "completion powershell", "There are scripts for bash, zsh and fish." },
	{ "completion __complete", "It is \"warren __complete WORD...\"." },
	{ "configure", "" },
	{ "drive",
		"Share directories with any file server; the other devices reach it through the network." },
	{ "file", "Copy with scp or rsync to the device's address." },
	{ "funnel", "A web server behind a public address can forward to this device." },
	{ "id-token", "" },
	{ "licenses", "/usr/share/doc/warren or the source tree has them." },
	{ "lock", "" },
	{ "routecheck", "" },
	{ "serve", "Let the server listen on this device's address (warren ip)." },
	{ "service", "" },
	{ "ssh", "Use \"ssh USER@NAME\" with the device's address (warren ip NAME)." },
	{ "syspolicy", "" },
	{ "systray", "" },
	{ "update", "Update as it was installed: with the package, or from the source tree." },
	{ "web", "" },
	{ "debug break-tcp-conns", "" },
	{ "debug capture", "\"tcpdump -i warren0\" shows the packets of the tunnel." },
	{ "debug clear-netmap-cache", "" },
	{ "debug component-logs", "" },
	{ "debug control-knobs", "" },
	{ "debug daemon-bus-events", "" },
	{ "debug daemon-bus-graph", "" },
	{ "debug daemon-bus-queues", "" },
	{ "debug daemon-goroutines", "" },
	{ "debug daemon-logs", "\"journalctl -u warrend\" shows the daemon's log." },
	{ "debug derp", "\"warren netcheck\" shows the relays." },
	{ "debug derp-set-on-demand", "" },
	{ "debug derp-unset-on-demand", "" },
	{ "debug dev-store-set", "" },
	{ "debug dial-types", "" },
	{ "debug env", "" },
	{ "debug force-netmap-update", "" },
	{ "debug force-prefer-derp", "" },
	{ "debug go-buildinfo", "" },
	{ "debug hostinfo", "" },
	{ "debug peer-endpoint-changes", "" },
	{ "debug peer-relay-servers", "" },
	{ "debug peer-relay-sessions", "" },
	{ "debug pick-new-derp", "" },
	{ "debug portmap", "" },
	{ "debug reload-config", "" },
	{ "debug resolve", "" },
	{ "debug rotate-disco-key", "" },
	{ "debug stat", "" },
	{ "debug test-risk", "" },
	{ "debug ts2021", "" },
};

static const struct {
	const char *path, *flags, *meanwhile; /* flags: with a blank on either side */
} flag_lists[] = {
	{ "up", " audience client-id client-secret id-token ", "Use a key: --auth-key." },
	{ "login", " audience client-id client-secret id-token ", "Use a key: --auth-key." },
	{ "netcheck", " bind-address bind-port verbose ", "" },
	{ "status", " browser listen web ",
		"\"warren status --json\" gives everything to programs." },
	{ "version", " track upstream ", "" },
	{ "bugreport", " diagnose record ", "" },
	{ "completion bash", " descs flags ", "The script has both." },
	{ "completion zsh", " descs flags ", "The script has both." },
	{ "completion fish", " descs flags ", "The script has both." },
	{ "debug", " cpu-profile file mem-profile profile-seconds ", "" },
	{ "debug metrics", " watch ", "" },
	{ "debug prefs", " pretty ", "" },
	{ "debug watch-ipn",
		" engine-updates health-actions initial-client-version initial-drive-shares initial-health initial-outgoing-files "
		"initial-status initial-suggested-exit-node peer-changes peer-patches peer-wireguard-state ",
		"" },
};

const char *unbuilt_command(const char *path)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(commands[i].path, path) == 0)
			return commands[i].meanwhile;
	return NULL;
}

const char *unbuilt_flag(const char *path, const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(flag_lists); i++) {
		if (strcmp(flag_lists[i].path, path) != 0)
			continue;
		for (const char *s = flag_lists[i].flags + 1; *s; s += strcspn(s, " ") + 1)
			if (strcspn(s, " ") == len && memcmp(s, name, len) == 0)
				return flag_lists[i].meanwhile;
	}
	return NULL;
}

const char *unbuilt_name(size_t i)
{
	if (i >= ARRAY_LEN(commands))
		return NULL;
	return strchr(commands[i].path, ' ') ? "" : commands[i].path;
}
