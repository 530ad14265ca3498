/** Style sheets, which the build gathers into one file. */
declare module "*.css";
