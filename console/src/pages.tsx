// The pages beside Devices, by the first word of their address.
import type { ComponentType } from "preact";
import { Settings } from "./settings";

export const pages: Record<string, ComponentType<{ rest: string[]; turn: () => void }>> = { settings: Settings };
