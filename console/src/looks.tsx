// How this browser shows the console: colours and language.
import { language, languages, remember, speak, t } from "./i18n";

function applyTheme(theme: string) {
  remember("theme", theme);
  document.documentElement.dataset.theme = theme;
}

export function Looks({ turn }: { turn: () => void }) {
  return <>
    <label class="field"><span>{t("theme")}</span><select value={document.documentElement.dataset.theme} onChange={(e) => { applyTheme(e.currentTarget.value); turn() }}>
      <option value="auto">{t("themeAuto")}</option><option value="light">{t("themeLight")}</option><option value="dark">{t("themeDark")}</option></select></label>
    <label class="field"><span>{t("language")}</span><select value={language()} onChange={(e) => { speak(e.currentTarget.value); turn() }}>
      {Object.entries(languages).map(([k, l]) => <option key={k} value={k}>{l.name}</option>)}</select></label></>;
}
