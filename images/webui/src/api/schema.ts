// Written after docs/developers/contracts.md until `npm run generate` replaces it.
export interface components {
  schemas: {
    User: {
      id: number;
      email: string;
      full_name: string;
      role: "admin" | "maintainer" | "viewer";
      is_active: boolean;
      created_at: string;
      updated_at: string;
    };
  };
}
