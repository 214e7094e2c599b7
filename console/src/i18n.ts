// Words. Another language is another file beside these two, and a line in `languages`.
import en from "./messages/en.json";
import de from "./messages/de.json";

export type Word = keyof typeof en;
export const languages: Record<string, { name: string; words: Record<Word, string> }> = {
  en: { name: "English", words: en }, de: { name: "Deutsch", words: de },
};

export function remember(key: string, value?: string): string | undefined {
  try { // a browser may have no storage for us
    if (value !== undefined) localStorage.setItem("warren." + key, value);
    return localStorage.getItem("warren." + key) ?? undefined;
  } catch { return value }
}

let chosen = remember("language") ?? navigator.languages.map((l) => l.slice(0, 2)).find((l) => l in languages) ?? "en";
export const language = () => (chosen in languages ? chosen : "en");
export function speak(l: string) { chosen = l; remember("language", l); document.documentElement.lang = language() }
document.documentElement.lang = language();

export function t(word: Word, values: Record<string, string | number> = {}): string {
  return (languages[language()]?.words[word] ?? en[word] ?? word).replace(/\{(\w+)\}/g, (_, k: string) => String(values[k] ?? ""));
}

const steps: [number, Intl.RelativeTimeFormatUnit][] = [[60, "second"], [3600, "minute"], [86400, "hour"], [86400 * 30, "day"], [86400 * 365, "month"], [Infinity, "year"]];
export function ago(time: string | number, now = Date.now()): string {
  const s = Math.round(((typeof time === "number" ? time : Date.parse(time)) - now) / 1000), a = Math.abs(s);
  if (a < 10) return t("justNow");
  const i = steps.findIndex(([limit]) => a < limit), unit = steps[i]?.[1] ?? "year";
  const size = i > 0 ? [1, 60, 3600, 86400, 86400 * 30, 86400 * 365][i] ?? 1 : 1;
  return new Intl.RelativeTimeFormat(language(), { style: "short" }).format(Math.round(s / size), unit);
}
export const exact = (time: string) => new Intl.DateTimeFormat(language(), { dateStyle: "medium", timeStyle: "short" }).format(new Date(time));
export function lasts(seconds: number): string {
  const [n, unit] = seconds >= 86400 ? [seconds / 86400, "day"] : seconds >= 3600 ? [seconds / 3600, "hour"] : [seconds / 60, "minute"];
  return new Intl.NumberFormat(language(), { style: "unit", unit: unit as string, unitDisplay: "long" }).format(Math.floor(n as number));
}
