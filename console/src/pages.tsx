// The pages beside Devices, by the first word of their address.
import type { ComponentType } from "preact";
import { Access } from "./access";
import { Network } from "./network";
import { People } from "./people";
import { Settings } from "./settings";

export const pages: Record<string, ComponentType<{ rest: string[]; turn: () => void }>> = { people: People, access: Access, network: Network, settings: Settings };
