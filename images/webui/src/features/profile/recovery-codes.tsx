import { useTranslation } from "react-i18next";
import { Button } from "@/components/ui/button";
import { DialogActions } from "@/components/ui/dialog";
import { SecretNote } from "@/components/ui/secret-note";

/** The recovery codes, which the backend tells this once. */
export function RecoveryCodes({ codes, onClose }: { codes: readonly string[]; onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <>
      <SecretNote secret={codes.join("\n")}>
        {t("Each of these recovery codes signs you in once without the app. Keep them in a safe place: they are shown this once.")}
      </SecretNote>
      <DialogActions>
        <Button variant="primary" onClick={onClose}>
          {t("Done")}
        </Button>
      </DialogActions>
    </>
  );
}
