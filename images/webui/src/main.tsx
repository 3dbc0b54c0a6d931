import { setNonce } from "get-nonce";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App, createApp } from "./app";
import { startLanguage } from "./i18n";
import "./index.css";
import { startTheme } from "./lib/theme";

const nonce = document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content;
if (nonce) setNonce(nonce);

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");
startTheme();
await startLanguage();
createRoot(root).render(
  <StrictMode>
    <App {...createApp()} />
  </StrictMode>,
);
