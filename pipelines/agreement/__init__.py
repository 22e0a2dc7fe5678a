"""Monthly: everybody in the register, in what the Union was told, and in what it decided, compared (評価書 Ⅲ 整合性の確認)."""
