//! The page of the documentation shows the very code that is tested here.

use std::fs;
use std::path::Path;

#[test]
fn the_page_shows_every_recipe_as_it_is_tested() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = folder.join("../../lifecycle-runtime/docs/recipes.md");
    let page = fs::read_to_string(page).expect("the page is there");
    let mut recipes = 0;
    for file in fs::read_dir(folder.join("code")).expect("the recipes are there") {
        let path = file.expect("it can be listed").path();
        let code = fs::read_to_string(&path).expect("it can be read");
        let block = format!("```ignore\n{code}```\n");
        assert!(page.contains(&block), "docs/recipes.md does not show {} as it is", path.display());
        recipes += 1;
    }
    assert_eq!(page.matches("```ignore\n").count(), recipes, "docs/recipes.md has code that is not tested");
}
